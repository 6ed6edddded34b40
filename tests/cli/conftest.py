"""The command line for tests."""

from __future__ import annotations

import pytest

from tests.cli.command import Larnn


@pytest.fixture
def larnn(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Larnn:
    monkeypatch.setenv("COLUMNS", "120")
    return Larnn(capsys)
