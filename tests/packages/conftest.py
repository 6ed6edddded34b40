"""The wheels are built and installed once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packages import wheels


@pytest.fixture(scope="package")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return wheels.build(tmp_path_factory.mktemp("wheels"))


@pytest.fixture(scope="package")
def programs(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return wheels.install(built, tmp_path_factory.mktemp("installed") / "venv")
