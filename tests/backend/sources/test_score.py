"""`larnn score` between buckets."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.backend.sources.conftest import Folder
from tests.cli.command import Larnn


def test_recordings_of_a_bucket_are_answered_in_another(
    there: Folder, larnn: Larnn, toy_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LARNN_MODELS", str(toy_models))
    pq.write_table(pa.table({"left": [1.0] * 3, "right": [5.0] * 3}), tmp_path / "a.parquet")
    there.put(tmp_path, "in/deep")
    done = larnn("score", f"{there.address}/in", f"{there.address}/out", "--every")
    assert done.code == 0, done.err
    path = there.address.removeprefix("s3://")
    there.files.get_file(f"{path}/out/deep/a.parquet", str(tmp_path / "told.parquet"))
    assert pq.read_table(tmp_path / "told.parquet")["label"].to_pylist() == ["RIGHT"] * 3
    again = larnn("score", f"{there.address}/in", f"{there.address}/out", "--every")
    assert again.code == 0 and "1 files have answers already" in again.err


@pytest.mark.parametrize("which", ["source", "target"])
def test_a_bucket_that_is_not_there_is_named(
    there: Folder,
    larnn: Larnn,
    toy_models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    which: str,
) -> None:
    monkeypatch.setenv("LARNN_MODELS", str(toy_models))
    pq.write_table(pa.table({"left": [1.0], "right": [5.0]}), tmp_path / "a.parquet")
    places = {"source": str(tmp_path / "a.parquet"), "target": str(tmp_path / "out")}
    places[which] = "s3://no-such-bucket/folder"
    done = larnn("score", places["source"], places["target"])
    assert done.code == 2 and "s3://no-such-bucket/folder" in done.err, done.err
    assert "Traceback" not in done.err
