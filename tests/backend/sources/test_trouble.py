"""A cache whose source is partly wrong, away for a moment, slow, or ambiguous."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from larnn_service.backend.model_repository import load_model
from larnn_service.backend.sources import lock
from larnn_service.backend.sources.cache import Cache
from larnn_service.backend.sources.source import Found
from larnn_service.errors import StartupError
from tests import toy
from tests.backend.sources.disk import Disk, leave, versions

LARGEST = 2**20


@pytest.fixture
def source(tmp_path: Path) -> Disk:
    """It has toy/1."""
    toy.publish(tmp_path / "source")
    return Disk(tmp_path / "source")


@pytest.fixture
def cache(source: Disk, tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", source, "disk", LARGEST, within=60)


def cut(folder: Path, file: str) -> bytes:
    """Leave half of a file; what it was."""
    whole = (folder / file).read_bytes()
    (folder / file).write_bytes(whole[: len(whole) // 2])
    return whole


@pytest.mark.parametrize("file", ["model.onnx", "model.json"])
def test_one_that_is_not_whole_keeps_no_other_away_and_is_left_until_it_changes(
    source: Disk, cache: Cache, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    bad = toy.publish(source.root, version=2)
    whole = cut(bad, file)
    toy.publish(source.root, version=3)
    assert list(cache.refresh(first=True)) == [("toy", 2)]
    assert versions(cache) == ["toy/1", "toy/3"]
    source.fetched.clear()
    for _ in range(2):
        assert "toy/2" in cache.refresh()["toy", 2]
    assert source.fetched == []
    assert [record.message for record in caplog.records if "toy/2" in record.message] != []
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1
    (bad / file).write_bytes(whole)
    assert cache.refresh() == {} and versions(cache) == ["toy/1", "toy/2", "toy/3"]
    assert sorted(source.fetched) == ["toy/2/model.json", "toy/2/model.onnx"]


def test_one_that_is_not_whole_any_more_stays_as_it_was(source: Disk, cache: Cache) -> None:
    cache.refresh(first=True)
    cut(source.root / "toy/1", "model.onnx")
    assert "SHA-256" in cache.refresh()["toy", 1]
    assert load_model(cache.root / "toy/1", "cpu").manifest.version == 1
    again = Cache(cache.root, source, "disk", LARGEST)
    assert again.refresh(first=True) and versions(again) == ["toy/1"]


@pytest.mark.parametrize("away", ["model.json", "model.onnx"])
def test_what_the_source_does_not_give_is_asked_for_again(
    source: Disk, cache: Cache, away: str
) -> None:
    def fail(path: str) -> None:
        if path.endswith(away):
            raise ConnectionError("gone for a moment")

    source.before = fail
    assert "gone for a moment" in cache.refresh()["toy", 1]
    source.before = str
    assert cache.refresh() == {} and versions(cache) == ["toy/1"]


@pytest.mark.parametrize("same", [True, False], ids=["copies", "others"])
@pytest.mark.parametrize("had", [True, False], ids=["one came before", "at once"])
def test_two_places_of_one_version_are_both_named(
    source: Disk, cache: Cache, same: bool, had: bool
) -> None:
    if had:
        cache.refresh(first=True)
    folder = toy.publish(source.root / "other", description="a sum" if same else "another")
    toy.publish(source.root, version=2)
    for _ in range(2):
        why = cache.refresh()["toy", 1]
        assert "other/toy/1 and toy/1: both are toy/1" in why
        assert versions(cache) == (["toy/1", "toy/2"] if had else ["toy/2"])
    assert [path for path in source.fetched if path.startswith("other")] == [
        "other/toy/1/model.json"
    ]
    shutil.rmtree(folder)
    assert cache.refresh() == {} and versions(cache) == ["toy/1", "toy/2"]


def test_two_versions_whose_files_have_the_same_marks_are_two(
    source: Disk, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow's registry has one mark for all files of what was registered."""
    toy.publish(source.root, version=2)
    marked = {path: Found(7, "3") for path in source.files()}
    monkeypatch.setattr(source, "files", lambda: marked)
    assert cache.refresh() == {} and versions(cache) == ["toy/1", "toy/2"]


def test_behind_a_process_that_hangs_it_gives_up(source: Disk, tmp_path: Path) -> None:
    cache = Cache(tmp_path, source, "disk", LARGEST, within=0)
    with lock.alone(tmp_path, 0), pytest.raises(StartupError, match="does not come to an end"):
        cache.refresh()
    assert source.fetched == []


def test_who_waits_for_the_lock_has_it_next(
    source: Disk, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = threading.Event()
    monkeypatch.setattr(time, "sleep", lambda _: waits.set())
    cache.root.mkdir()
    with lock.alone(cache.root, 0):
        thread = threading.Thread(target=cache.refresh)
        thread.start()
        assert waits.wait(60)
        toy.publish(source.root, version=2)
    thread.join()
    assert versions(cache) == ["toy/1", "toy/2"], "as the source is once it has the lock"


def test_after_its_time_it_begins_no_file(source: Disk, tmp_path: Path) -> None:
    toy.publish(source.root, version=2)
    cache = Cache(tmp_path / "cache", source, "disk", LARGEST, within=0)
    assert {"LARNN_FETCH_TIMEOUT" in why for why in cache.refresh().values()} == {True}
    assert source.fetched == [] and versions(cache) == []


@pytest.mark.parametrize("damage", ["emptied", "cut", "gone"])
def test_a_file_that_is_damaged_here_is_fetched_again(
    source: Disk, cache: Cache, damage: str
) -> None:
    cache.refresh()
    toy.publish(source.root, version=2)
    file = cache.root / "toy/1/model.onnx"
    if damage == "cut":
        cut(file.parent, file.name)
    elif damage == "emptied":
        file.write_bytes(b"")
    else:
        file.unlink()
    assert cache.refresh() == {} and load_model(file.parent, "cpu").manifest.version == 1
    source.fetched.clear()
    assert cache.refresh() == {} and source.fetched == []


def test_what_the_source_has_no_more_goes_at_the_next_start_that_nobody_is_beside(
    source: Disk, cache: Cache
) -> None:
    toy.publish(source.root, version=2)
    cache.refresh(first=True)
    shutil.rmtree(source.root / "toy/1")
    beside = Cache(cache.root, source, "disk", LARGEST)
    assert beside.refresh(first=True) == {} and versions(cache) == ["toy/1", "toy/2"]
    leave(cache, beside)
    late = Cache(cache.root, source, "disk", LARGEST, within=0)
    assert late.refresh(first=True) == {} and versions(late) == ["toy/1", "toy/2"]
    leave(late)
    last = Cache(cache.root, source, "disk", LARGEST)
    assert last.refresh(first=True) == {} and versions(last) == ["toy/2"]


def not_a_folder(root: Path) -> None:
    root.write_text("a file")


def a_file_in_the_way(root: Path) -> None:
    root.mkdir()
    (root / "toy").write_text("a file")


@pytest.mark.parametrize("spoil", [not_a_folder, a_file_in_the_way])
def test_a_folder_that_cannot_be_used_is_named(cache: Cache, spoil: Callable[[Path], None]) -> None:
    spoil(cache.root)
    with pytest.raises(StartupError, match=f"LARNN_MODELS_CACHE, {cache.root}"):
        cache.refresh()
