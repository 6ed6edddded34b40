"""`larnn score` and its target: what is refused there, and what it leaves there however it ends."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from larnn_cli.score.output import Output
from larnn_cli.score.places import ABOUT
from larnn_cli.score.plan import Plan, plan
from larnn_export.data import DataError
from tests import small_disk

STEPS = 2_000


pytestmark = pytest.mark.usefixtures("toys")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Four files of a recording each."""
    folder = tmp_path / "in"
    folder.mkdir()
    table = pa.table({"left": [1.0] * STEPS, "right": [0.0] * STEPS, "label": [0] * STEPS})
    for number in range(4):
        pq.write_table(table, folder / f"{number}.parquet")
    return folder


def planned(source: Path, target: Path, **options: Any) -> Plan:
    return plan(str(source), str(target), batch=2, **options)


def is_whole(target: Path) -> bool:
    """Whether it has the answers to each step of each file, and nothing else."""
    files = sorted(path.name for path in target.iterdir())
    return files == [*(f"{number}.parquet" for number in range(4)), ABOUT] and all(
        pq.read_table(target / f"{number}.parquet")["row"].to_pylist() == list(range(STEPS))
        for number in range(4)
    )


def test_a_target_that_is_no_folder_of_answers_is_refused(source: Path, tmp_path: Path) -> None:
    files = {path: path.read_bytes() for path in source.iterdir()}
    others = tmp_path / "others"
    (others / "deep").mkdir(parents=True)
    (others / "deep" / "table.parquet").write_bytes(b"somebody else's")
    (tmp_path / "link").symlink_to(source)
    (tmp_path / "file").write_text("a file")
    refused = {
        others: "so they are no answers of this command",
        source: "name a folder beside it",
        source / "answers": "name a folder beside it",
        tmp_path: "name a folder beside it",
        tmp_path / "link" / "answers": "name a folder beside it",
        tmp_path / "file": "is a file; name a folder",
        tmp_path / "file" / "below": "file/below: ",
    }
    for target, why in refused.items():
        with pytest.raises(DataError, match=why):
            planned(source, target)
    assert files == {path: path.read_bytes() for path in source.iterdir()}
    assert not (others / ABOUT).exists()


@pytest.mark.parametrize("damaged", ["", "{", "[1, 2]", "7", "\xff"])
def test_a_target_of_which_nobody_knows_what_it_answers_is_refused(
    source: Path, tmp_path: Path, damaged: str
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / ABOUT).write_text(damaged, encoding="latin-1")
    with pytest.raises(DataError, match=f"{ABOUT} is damaged"):
        planned(source, tmp_path / "out")


@pytest.mark.parametrize("name", ["label", "p_LEFT", "first_row", "steps"])
def test_a_key_that_is_called_as_an_answer_is_refused(
    source: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(DataError, match=f"--by '{name}': the answers have a column of that name"):
        planned(source, tmp_path / "out", by=(name,))
    assert not (tmp_path / "out").exists()


def test_two_runs_on_a_target_write_no_part_of_the_others(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    both = [planned(source, target, every=True) for _ in range(2)]
    each: list[Iterator[Any]] = [one.scorer.score(one.jobs) for one in both]
    while each:
        each = [one for one in each if (told := next(one, None)) and not told.problem]
    assert is_whole(target)


def test_what_ends_early_leaves_no_draft_and_may_be_asked_again(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("larnn_cli.score.output.ROWS", 1)  # a draft is written from the first on
    target = tmp_path / "out"
    one = planned(source, target, every=True)
    ended = one.scorer.score(one.jobs)
    assert next(ended).steps and list(target.glob(".*"))
    ended.close()
    assert [path.name for path in target.iterdir()] == [ABOUT]
    assert not any(told.problem for told in one.scorer.score(one.jobs))
    assert is_whole(target)


def test_an_error_that_is_no_files_ends_it_and_leaves_no_draft(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken(Exception):
        pass

    def take(*_: object) -> None:
        raise Broken

    monkeypatch.setattr(Output, "take", take)
    one = planned(source, tmp_path / "out", every=True)
    with pytest.raises(Broken):
        list(one.scorer.score(one.jobs))
    assert [path.name for path in (tmp_path / "out").iterdir()] == [ABOUT]


def test_a_full_disk_is_no_fault_of_a_file(source: Path, tmp_path: Path) -> None:
    with small_disk.mounted(tmp_path / "disk", "1m") as disk:
        one = planned(source, disk / "out", every=True)
        taken = small_disk.fill(disk)
        with pytest.raises(OSError) as full:
            list(one.scorer.score(one.jobs))
        assert full.value.errno == errno.ENOSPC
        assert [path.name for path in (disk / "out").iterdir()] == [ABOUT]
        taken.unlink()
        assert not any(told.problem for told in one.scorer.score(one.jobs))
        assert is_whole(disk / "out")
