"""Differences of pairs of runs, by seed and by person."""

from __future__ import annotations

import json
import statistics
from pathlib import Path

import pytest
import torch
from scipy import stats

from larnn_export import checkpoint
from larnn_export.paired import interval, paired


def run(folder: Path, seed: int, people: dict[str, float]) -> Path:
    """An evaluated run of which only seed and figures count."""
    checkpoint.write(
        folder, checkpoint.FINISHED, {"x": torch.ones(1)}, {"training": {"seed": seed}}
    )
    accuracy = sum(people.values()) / len(people)
    (folder / "evaluation.json").write_text(
        json.dumps({"accuracy": accuracy, "per_subject": people})
    )
    return folder


def test_pairs_are_of_one_seed_and_of_one_person(tmp_path: Path) -> None:
    mine = [run(tmp_path / f"a{s}", s, {"2": 0.9 + s / 100, "10": 0.8}) for s in (0, 1, 2)]
    others = [run(tmp_path / f"b{s}", s, {"2": 0.8, "10": 0.8 - s / 100}) for s in (2, 0, 1)]
    result = paired(mine, others)
    seeds, people = result["over_seeds"], result["over_people"]
    assert result["seeds"] == [0, 1, 2]
    assert seeds["each"] == pytest.approx([0.05, 0.06, 0.07])
    assert people["each"] == pytest.approx({"2": 0.11, "10": 0.01})
    assert (seeds["mean"], people["mean"]) == pytest.approx((0.06, 0.06))
    width = stats.t.ppf(0.975, 2) * 0.01 / 3**0.5
    assert (seeds["low"], seeds["high"]) == pytest.approx((0.06 - width, 0.06 + width))
    assert people["low"] < 0 < people["high"]


@pytest.mark.parametrize(("count", "ratio"), [(10, 9 / 21), (5, 1 / 4), (5, 0.0)])
def test_an_interval_over_divisions_allows_for_what_they_share(count: int, ratio: float) -> None:
    gained = [0.01 * (each % 3) for each in range(count)]
    found = interval(gained, ratio)
    scale = (1 / count + ratio) ** 0.5
    half = stats.t.ppf(0.975, count - 1) * statistics.stdev(gained) * scale
    middle = statistics.mean(gained)
    assert (found["mean"], found["low"], found["high"]) == pytest.approx(
        (middle, middle - half, middle + half)
    )


def test_unpaired_runs_are_refused(tmp_path: Path) -> None:
    mine = [run(tmp_path / f"a{s}", s, {"2": 0.9}) for s in (0, 1)]
    with pytest.raises(ValueError, match=r"not \[0, 1\] and \[0\]"):
        paired(mine, mine[:1])
    with pytest.raises(ValueError, match="two or more seeds"):
        paired(mine[:1], mine[:1])
