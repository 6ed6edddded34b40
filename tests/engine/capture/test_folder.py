"""The captured files: what is deleted, when, and what several processes make of that."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from larnn_service.engine.capture.folder import DAY, LEFT_OVER, Folder

STREAM = "0123456789ab"


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    folder = Folder(tmp_path)
    folder.prepare()
    return folder


def file(folder: Folder, name: str, size: int = 100, age: float = 0.0) -> Path:
    path = folder.root / "toy" / "1" / STREAM / f"{name}.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def left(folder: Folder) -> list[str]:
    return sorted(path.stem for path in folder.root.glob("*/*/*/*"))


def test_what_is_too_old_goes(folder: Folder) -> None:
    file(folder, "old", age=3 * DAY + 60)
    file(folder, "new", age=3 * DAY - 60)
    assert folder.sweep(3, 10**9) == 1
    assert left(folder) == ["new"]


def test_the_oldest_go_where_there_is_too_much(folder: Folder) -> None:
    for age in range(5):
        file(folder, f"hours-{age}", size=100, age=age * 3600)
    assert folder.sweep(3, 250) == 3
    assert left(folder) == ["hours-0", "hours-1"]


def test_a_folder_without_files_goes_with_them(folder: Folder) -> None:
    path = file(folder, "old", age=2 * DAY)
    assert folder.sweep(1, 10**9) == 1
    assert not path.parent.exists() and path.parent.parent.exists()


def test_drafts_and_marks_that_nobody_needs_go(folder: Folder) -> None:
    then = time.time() - max(DAY, LEFT_OVER) - 60
    folder.forget(STREAM)
    mark, draft = folder.root / ".forgotten" / STREAM, folder.draft("killed")
    for path in (mark, draft):
        path.touch()
    folder.sweep(1, 10**9)
    assert mark.exists() and draft.exists()
    for path in (mark, draft):
        os.utime(path, (then, then))
    folder.sweep(1, 10**9)
    assert not mark.exists() and not draft.exists()


def test_a_file_of_a_forgotten_stream_does_not_stay(folder: Folder) -> None:
    """Another process publishes what it has written before it knew."""
    other = Folder(folder.root)
    draft = other.draft("theirs")
    draft.write_bytes(b"rows")
    target = file(folder, "theirs")
    assert folder.forget(STREAM) == 1
    target.parent.mkdir()
    assert other.publish(draft, target) is False
    assert left(folder) == []


def test_a_folder_that_another_process_has_deleted_is_made_again(folder: Folder) -> None:
    old, other = file(folder, "old", age=2 * DAY), Folder(folder.root)
    draft = folder.draft("mine")
    draft.write_bytes(b"rows")
    assert other.sweep(1, 10**9) == 1 and not old.parent.exists()
    assert folder.publish(draft, old.with_name("mine.parquet")) is True
    assert left(folder) == ["mine"]


def test_a_file_that_another_process_adds_to_meanwhile_stays(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was too old when the files were looked through, and is not any more."""
    old, grown = file(folder, "old", age=3 * DAY), file(folder, "grown", age=2 * DAY)
    unlink = Path.unlink

    def deleting(path: Path, missing_ok: bool = False) -> None:
        if path in (old, grown):
            (grown if path == old else old).write_bytes(b"more rows")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", deleting)
    assert folder.sweep(1, 10**9) == 1
    assert len(left(folder)) == 1


def test_drafts_of_one_name_do_not_meet(folder: Folder) -> None:
    assert folder.draft("toy-1") != folder.draft("toy-1")


def test_streams_are_forgotten_in_all_versions_and_no_other(folder: Folder) -> None:
    file(folder, "one")
    for where in (("toy", "2", STREAM), ("toy", "1", "ba9876543210")):
        place = folder.root.joinpath(*where)
        place.mkdir(parents=True)
        (place / "more.parquet").touch()
    assert folder.forget(STREAM) == 2
    assert left(folder) == ["more"]
