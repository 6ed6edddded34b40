"""The models of the command line's tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def toys(toy_models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`larnn` finds the toy."""
    monkeypatch.setenv("LARNN_MODELS", str(toy_models))
