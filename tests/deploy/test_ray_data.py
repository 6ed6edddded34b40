"""docs/score.md's step of Ray Data, on a cluster of two workers on this machine.

Ray is no package of the project's: `make ray-test` installs it and runs this.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import live
from tests.cli.command import Larnn
from tests.docs import page

pytestmark = pytest.mark.ray
FILES = 12


@pytest.fixture
def cluster(toy_models: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="Ray is not installed: make ray-test")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(live.ROOT), *live.PACKAGES]))
    monkeypatch.setenv("LARNN_MODELS", str(toy_models))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()


@pytest.mark.usefixtures("cluster")
def test_two_workers_answer_as_one_machine_does(
    larnn: Larnn,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "recordings").mkdir()
    random = np.random.default_rng(0)
    for number in range(FILES):
        steps = random.normal(size=(2, 100 * number)).astype(np.float32)
        table = pa.table({"left": steps[0], "right": steps[1]})
        pq.write_table(table, tmp_path / "recordings" / f"{number}.parquet")
    (tmp_path / "recordings" / "bad.parquet").write_bytes(b"no table")
    monkeypatch.chdir(tmp_path)
    [program] = [b.text for b in page.blocks(page.read("score.md")) if "import ray" in b.text]
    program = program.replace('"recordings"', f'"{tmp_path}/recordings"')
    exec(program.replace('"answers"', f'"{tmp_path}/answers"'), {})
    assert f"{100 * sum(range(FILES))} steps" in capsys.readouterr().out
    assert larnn("score", "recordings", "alone", "--every").code == 1  # of the bad one
    for number in range(FILES):
        mine, theirs = (
            pq.read_table(tmp_path / f"{it}/{number}.parquet") for it in ("alone", "answers")
        )
        assert mine["label"].to_pylist() == theirs["label"].to_pylist()
    assert not (tmp_path / "answers" / "bad.parquet").exists()
