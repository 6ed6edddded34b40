"""`cross`: divisions that nobody chose, runs on each, and what a kill leaves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from larnn_export import checkpoint
from larnn_export.cross import CONTENDERS, DIVISIONS, PUBLISHED, division, space_of, summary
from larnn_export.memory_study.results import RESULTS_FILE
from larnn_export.paired import interval
from tests.commands.conftest import SHORT, export, refusal

SMALL = ["-n", "hidden_size=4", "-n", "layers=1"]
FAST = [*SMALL, *SHORT, "-t", "streams=1", "-t", "epochs=1"]


def test_divisions_are_those_of_their_numbers() -> None:
    people = [*range(1, 31)]
    found = [division(people, number) for number in range(DIVISIONS)]
    assert found == [division([*reversed(people)], number) for number in range(DIVISIONS)]
    assert len({*found}) == DIVISIONS and {len(each) for each in found} == {9}
    assert found[0] == (3, 5, 11, 12, 17, 22, 24, 27, 29)


def test_networks_are_crossed_and_what_is_finished_is_kept(data: Path, tmp_path: Path) -> None:
    runs, output = tmp_path / "cross", tmp_path / "cross.json"
    command: list[str | Path] = ["cross", runs, "--data", data, *FAST, "--output", output]
    command += ["--seeds", "1", "--trials", "1", "--only", "lstm"]
    assert (first := export(*command, "--divisions", "1")).exit_code == 0, first.output
    lines = (runs / RESULTS_FILE).read_text()
    record = json.loads(lines)
    people = record["setting"]["measured_on"]
    assert [*map(int, record["per_subject"])] == people and len(people) == 4
    assert record["setting"]["network"]["hidden_size"] == 4
    assert [record["protocol"][part]["streams"] for part in ("windows", "streams")] == [1, 1]
    _, kept = checkpoint.read(runs / "division-0" / "lstm-s0", checkpoint.FINISHED)
    assert not {*kept["trained_on"]} & {*people}
    _, trial = checkpoint.read(runs / "division-0" / "lstm-trial-0", checkpoint.FINISHED)
    assert not ({*trial["trained_on"]} | {*trial["training"]["held_out"]}) & {*people}
    start = kept["network"]["longest_memory"]
    assert record["tuned"] == {"longest_memory": start}  # FAST states the rate
    assert start == trial["network"]["longest_memory"]
    assert export(*command, "--divisions", "1").exit_code == 0
    assert (runs / RESULTS_FILE).read_text() == lines
    [row] = json.loads(output.read_text())["rows"]
    assert row["windows"]["mean"] == record["windows"]
    assert "no network nobody" in refusal(*command, "--only", "nobody")


def test_nothing_is_tried_where_all_is_stated(data: Path, tmp_path: Path) -> None:
    command: list[str | Path] = ["cross", tmp_path, "--data", data, *FAST, "--only", "gru"]
    command += ["-n", "longest_memory=64", "--seeds", "1", "--divisions", "1", "--trials", "9"]
    assert (done := export(*command)).exit_code == 0, done.output
    record = json.loads((tmp_path / RESULTS_FILE).read_text())
    assert (record["tuned"], record["setting"]["network"]["longest_memory"]) == ({}, 64)
    assert not [*(tmp_path / "division-0").glob("*trial*")]


def test_differences_are_of_the_same_divisions_and_their_interval_is_over_these() -> None:
    records = [
        {
            "contender": contender,
            "division": number,
            "number": seed,
            "windows": 0.9 + 0.01 * number + 0.001 * seed + better,
            "streams": 0.95,
            "sizes": {"people": 30},
            "setting": {"measured_on": [*range(9)]},
        }
        for contender, better in (("larnn-old", 0.0), ("lstm", -0.02))
        for number in range(3)
        for seed in range(2)
    ]
    records.append({**records[-1], "division": 9, "windows": 0.1})  # the other lacks it
    old, lstm = summary(records, "larnn-old")
    assert "windows_difference" not in old and old["runs"] == 6
    found = lstm["windows_difference"]
    assert all(abs(found[name] + 0.02) < 1e-9 for name in ("mean", "low", "high"))


def test_an_interval_over_divisions_is_wider_by_what_their_trainings_share() -> None:
    better = np.random.default_rng(0).normal(0.01, 0.005, 10)
    records = [
        {
            "contender": contender,
            "division": number,
            "number": 0,
            **dict.fromkeys(("windows", "streams"), 0.9 + gain),
            "sizes": {"people": 30},
            "setting": {"measured_on": [*range(9)]},
        }
        for contender, gains in (("larnn-old", [0.0] * 10), ("lstm", better))
        for number, gain in enumerate(gains)
    ]
    found = summary(records, "larnn-old")[1]["streams_difference"]
    assert found == pytest.approx(interval(better.tolist(), 9 / 21))


@pytest.mark.parametrize("name", CONTENDERS)
def test_all_are_tuned_alike_but_for_what_is_stated(name: str) -> None:
    both = {"learning_rate", "longest_memory"}
    own = both - {"longest_memory"} if name == PUBLISHED else both
    assert space_of(name, ["hidden_size=4", "epochs=1"]).keys() == own
    assert space_of(name, ["longest_memory=64"]).keys() == {"learning_rate"}
    assert space_of(name, ["learning_rate=0.01"]).keys() == own - {"learning_rate"}
    assert not space_of(name, ["longest_memory=64", "learning_rate=0.01"])
