"""A start that captures says what it lacks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from larnn_service.engine.capture.capture import Capture
from larnn_service.engine.capture.factory import open_capture
from larnn_service.errors import StartupError
from larnn_service.settings import Settings
from larnn_service.telemetry.metrics import Metrics


def opened(folder: object, **settings: Any) -> Capture | None:
    return open_capture(Settings(capture=folder, **settings), {"phone", "tablet"}, Metrics())


@pytest.mark.parametrize("nothing", [None, ""])
def test_without_a_folder_nothing_is_captured(nothing: object) -> None:
    assert opened(nothing) is None


def test_owners_have_keys(tmp_path: Path) -> None:
    assert opened(tmp_path, capture_owners="phone,tablet") is not None
    with pytest.raises(StartupError, match="LARNN_CAPTURE_OWNERS: watch has no key"):
        opened(tmp_path, capture_owners="phone,watch")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartupError, match="cannot be written: Not a directory"):
        opened(tmp_path / "file" / "captured")


def test_it_says_which_package_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("engine.capture.writer", "answer_columns"):
        monkeypatch.delitem(sys.modules, f"larnn_service.{module}", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(StartupError, match=r"pip install 'larnn\[capture\]'"):
        opened(tmp_path)
