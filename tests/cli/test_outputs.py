"""`larnn stream` and `larnn classify` with further outputs of every task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests import live, many_outputs
from tests.cli.command import Larnn

ASKED = (
    "--outputs",
    "signs",
    "--outputs",
    "chance",
    "--outputs",
    "steps_seen",
    "--outputs",
    "grid",
)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("outputs")
    many_outputs.publish(root)
    with live.running(models=root, model="many") as url:
        yield url


@pytest.fixture
def steps(tmp_path: Path) -> Path:
    np.save(tmp_path / "steps.npy", np.array([[1.0, -2.0], [0.5, 0.25]]))
    return tmp_path / "steps.npy"


def test_they_are_told_beside_the_answer(larnn: Larnn, url: str, steps: Path) -> None:
    streamed = larnn("stream", steps, "--full-speed", "--url", url, "--json", *ASKED)
    assert streamed.code == 0, streamed.err
    told = json.loads(streamed.out)
    [classified] = json.loads(larnn("classify", steps, "--url", url, "--json", *ASKED).out)
    half = 1 / (1 + np.exp([-1.5, 1.75]))
    for each in (told, classified):
        assert each["values"] == {"left": 1.5, "right": -1.75}
        assert each["outputs"]["steps_seen"] == {"output": 2}
        assert each["outputs"]["grid"] == {"output": [[1.5], [-1.75]]}
        for name in ("signs", "chance"):
            shares = each["outputs"][name]["probabilities"]
            assert [*shares.values()] == pytest.approx(half, abs=1e-6)
    shown = larnn("stream", steps, "--full-speed", "--url", url, *ASKED[:2]).out
    assert shown.rstrip().endswith("left 1.5  right -1.75  signs: LEFT 81.8%  RIGHT 14.8%")
    table = larnn("classify", steps, "--url", url, *ASKED[:2]).out
    assert "signs: LEFT 81.8%" in " ".join(table.split())


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_they_are_columns_of_a_table(
    suffix: str, larnn: Larnn, url: str, steps: Path, tmp_path: Path
) -> None:
    output = tmp_path / f"answers{suffix}"
    done = larnn("classify", steps, "-o", output, "--url", url, *ASKED)
    assert done.code == 0, done.err
    [row] = (pl.read_csv(output) if suffix == ".csv" else pl.read_parquet(output)).to_dicts()
    assert (row["left"], row["right"]) == (1.5, -1.75)
    assert row["signs.p_LEFT"] == pytest.approx(1 / (1 + np.exp(-1.5)))
    assert json.loads(row["grid.output"]) == [[1.5], [-1.75]]
    assert int(row["steps_seen.output"]) == 2


def test_one_that_the_model_does_not_have_is_refused(larnn: Larnn, url: str, steps: Path) -> None:
    for command in (("stream", "--full-speed"), ("classify",)):
        done = larnn(*command, steps, "--url", url, "--outputs", "colour")
        assert done.code == 2 and "no further output colour" in done.err, done.err
