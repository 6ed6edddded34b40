"""`larnn score` with the tables, places and ends that others bring."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from larnn_cli.score.plan import plan

pytestmark = pytest.mark.usefixtures("toys")


def write(file: Path, **columns: Any) -> None:
    """A file of four steps, or of as many as `columns` have."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"left": [0.0] * 4, "right": [1.0] * 4} | columns), file)


def problems(source: Path, target: Path, **options: Any) -> dict[str, str]:
    """Why files have no answers, by their names."""
    planned = plan(str(source), str(target), **options)
    told = list(planned.scorer.score(planned.jobs))
    assert not list(target.glob(".*"))
    return {each.job.path: each.problem for each in told if each.problem}


def test_a_list_of_another_length_is_named_with_its_row(tmp_path: Path) -> None:
    lists: dict[str, tuple[Any, str]] = {
        "short": ([[1.0, 2.0], [1.0], [1.0, 2.0, 3.0]], "row 1: column 'x' has 1 numbers"),
        "long": ([[1.0, 2.0]] * 2 + [[0.0] * 4], "row 2: column 'x' has 4 numbers"),
        "wide": (pa.array([[1.0] * 3] * 2, pa.list_(pa.float32(), 3)), "row 0: column 'x' has 3"),
        "null": ([[1.0, 2.0], [1.0, None]], "row 1: [1] of 'x' is empty"),
        "text": ([["a", "b"]], "numbers are asked for"),
    }
    for name, (column, _) in lists.items():
        (tmp_path / "in").mkdir(exist_ok=True)
        pq.write_table(pa.table({"x": column}), tmp_path / "in" / f"{name}.parquet")
    told = problems(tmp_path / "in", tmp_path / "out", column="x")
    assert len(told) == len(lists)
    for name, (_, why) in lists.items():
        assert why in told[f"{name}.parquet"]


def test_steps_may_be_lists_of_any_kind_and_dictionaries(tmp_path: Path) -> None:
    steps = np.array([[0, 2], [5, 0]], np.float32)
    large = pa.array(list(steps), pa.large_list(pa.float32()))
    kinds = {"tensor": pa.FixedShapeTensorArray.from_numpy_ndarray(steps), "large": large}
    for name, column in kinds.items():
        pq.write_table(pa.table({"x": column}), tmp_path / f"{name}.parquet")
        target = tmp_path / name
        assert not problems(tmp_path / f"{name}.parquet", target, column="x", every=True)
        told = pq.read_table(target / "answers.parquet")["label"].to_pylist()
        assert told == ["RIGHT", "LEFT"]
    write(tmp_path / "coded" / "a.parquet", left=pa.array([9.0] * 4).dictionary_encode())
    assert not problems(tmp_path / "coded", tmp_path / "of_coded")


NAN = float("nan")
KEYS: dict[str, tuple[pa.Array, list[int]]] = {
    "coded": (pa.array(["a", "a", "b", None]).dictionary_encode(), [0, 2, 3]),
    "nan": (pa.array([NAN, NAN, 1.0, None]), [0, 2, 3]),
    "null": (pa.array([None, None, 0, 0], pa.int8()), [0, 2]),
    "ns": (pa.array([1, 1, 2, 2], pa.timestamp("ns", "No/Where")), [0, 2]),
    "time": (pa.array([1, 2, 2, 2]).cast(pa.time64("ns")), [0, 1]),
    "date": (
        pa.array([2**31 - 1, 2**31 - 1, -(2**31), 0], pa.int32()).cast(pa.date32()),
        [0, 2, 3],
    ),
    "decimal": (pa.array([Decimal("1.5")] * 3 + [None]), [0, 3]),
    "bytes": (pa.array([b"a", b"a", b"", b""]), [0, 2]),
    "uuid": (pa.array([bytes(16)] * 2 + [bytes(range(16))] * 2, pa.binary(16)), [0, 2]),
    "bool": (pa.array([True, False, True, True]), [0, 1, 2]),
}


@pytest.mark.parametrize("kind", KEYS)
def test_a_key_may_be_of_any_plain_type(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, starts = KEYS[kind]
    monkeypatch.setattr("larnn_cli.score.pieces.ROWS", 1 + len(kind) % 3)  # it goes on in a batch
    stored = pa.ExtensionArray.from_storage(pa.uuid(), key) if kind == "uuid" else key
    write(tmp_path / "in" / "a.parquet", key=stored)
    assert not problems(tmp_path / "in", tmp_path / "out", by=("key",))
    told = pq.read_table(tmp_path / "out" / "a.parquet")
    assert told["first_row"].to_pylist() == starts
    plain = key.dictionary_decode() if kind == "coded" else key
    assert str(told["key"].cast(plain.type).combine_chunks()) == str(plain.take(pa.array(starts)))


def test_one_bad_file_keeps_no_other_from_it(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    write(source / "good.parquet", key=[1] * 4)
    write(source / "list.parquet", key=[[1]] * 4)
    write(source / "struct.parquet", key=[{"a": 1}] * 4)
    pq.write_table(
        pa.Table.from_arrays([pa.array([1.0])] * 4, ["left", "right", "left", "key"]),
        source / "twice.parquet",
    )
    write(source / f"{'n' * 240}.parquet", key=[1] * 4)
    write(source / "folder.parquet", key=[1] * 4)
    (target / "folder.parquet" / "full").mkdir(parents=True)
    told = problems(source, target, by=("key",))
    assert {name[:8]: why for name, why in told.items()} == {
        "list.par": told["list.parquet"],
        "struct.p": told["struct.parquet"],
        "twice.pa": "2 columns are called 'left'; give each its own name",
        "folder.p": told["folder.parquet"],
    }
    assert "--by column 'key' has list" in told["list.parquet"]
    assert "--by column 'key' has struct" in told["struct.parquet"]
    assert "its answers cannot be written: " in told["folder.parquet"]
    assert (target / "good.parquet").is_file() and (target / f"{'n' * 240}.parquet").is_file()
