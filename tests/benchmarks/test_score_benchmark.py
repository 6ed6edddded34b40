"""What the benchmark of `larnn score` says: a process's own figures, and whether answers agree."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.score import equal, make, scored
from larnn_service.backend.model_repository import Repository
from larnn_service.contract import Manifest

LIKELY = np.array([[0.9, 0.5, 0.1], [0.1, 0.5, 0.9]], np.float32)


def answers(folder: Path, labels: str = "aab", moved: float = 0.0, first: int = 0) -> Path:
    folder.mkdir()
    likely = LIKELY + np.array([[moved], [-moved]], np.float32)
    columns = {"row": np.arange(first, first + 3), "p_a": likely[0], "p_b": likely[1]}
    label = pa.array(list(labels)).dictionary_encode()
    pq.write_table(pa.table(columns | {"label": label}), folder / "00.parquet")
    return folder


def test_answers_agree_but_for_rounding(tmp_path: Path) -> None:
    one = answers(tmp_path / "one")
    assert equal(one, answers(tmp_path / "same"))
    assert equal(one, answers(tmp_path / "rounded", moved=5e-6))
    assert equal(one, answers(tmp_path / "tie", labels="abb"))
    assert not equal(one, answers(tmp_path / "label", labels="bab"))
    assert not equal(one, answers(tmp_path / "moved", moved=1e-3))
    assert not equal(one, answers(tmp_path / "rows", first=1))
    (tmp_path / "lacks").mkdir()
    assert not equal(one, tmp_path / "lacks")


def test_a_process_tells_its_own_time_and_memory(toy_models: Path, tmp_path: Path) -> None:
    folder = Repository(toy_models).newest("toy")
    manifest = Manifest.model_validate_json((folder / "model.json").read_bytes())
    make(tmp_path / "in", manifest, 2, 300)
    ours = np.ones(2**27)  # of this process, which the other one has not
    speed = scored(tmp_path / "in", tmp_path / "out", toy_models, "toy")
    assert speed.per_second > 0 and speed.per_cpu_second > 0
    assert 50 < speed.peak_mib < ours.nbytes / 2**20
