"""docs/training.md and docs/runs.csv: every row's command is one that the tool takes."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections import defaultdict
from statistics import mean, stdev

import pytest

from benchmarks import page as page_of_results
from larnn_export.families import FAMILIES
from larnn_export.questions import PUBLISHED
from larnn_export.recipe import TrainConfig
from larnn_export.training_command import configured
from tests import live
from tests.docs import page

with (page.DOCS / "runs.csv").open(newline="") as table:
    ROWS = {row["run"]: row for row in csv.DictReader(table)}


@pytest.mark.parametrize("run", ROWS)
def test_a_row_can_be_made_again(run: str) -> None:
    words = shlex.split(ROWS[run]["command"], comments=True)
    assert words[:3] == ["python", "-m", "export"] and words[4] == f"runs/{run}"
    options = list(zip(words[5::2], words[6::2], strict=True))
    preset = dict(options)["--preset"]
    configured(FAMILIES[preset].preset, [value for name, value in options if name == "-n"])
    training = configured(TrainConfig(), [v for name, v in options if name == "-t"])
    assert training.seed == int(ROWS[run]["seed"])


def test_the_published_models_figures_are_in_the_table_and_on_the_page() -> None:
    har, raw = (
        json.loads((live.ROOT / "models" / name / "1/model.json").read_text())["metrics"]
        for name in ("larnn-har", "larnn-har-raw")
    )
    row = ROWS["larnn-har-s0"]
    for metrics in (har, raw):
        assert f"{metrics['test']['accuracy']:.2%}" == row["test"]
        assert f"{metrics['streams']['accuracy']:.2%}" == row["streams"]
    text = page.read("training.md")
    assert f"seed 0: {row['test']}" in text and f"which is bundled | {row['streams']}" in text


def test_how_certain_it_is_and_how_it_begins_is_told_as_measured() -> None:
    metrics = json.loads((live.ROOT / "models/larnn-har-raw/1/model.json").read_text())["metrics"]
    text, streams = " ".join(page.read("training.md").split()), metrics["streams"]
    *others, worst = sorted(streams["calibration_by_subject"].values())
    assert f"by person it is {others[0]:.3f} to {others[-1]:.3f}, and {worst:.3f} for" in text
    sure = streams["confidence"]
    assert f"is {sure['in_activities']:.2f}, in labelled transitions" in text
    assert f"not taught, {sure['in_transitions']:.2f}, and where" in text
    assert f"nothing is labelled {sure['unlabelled']:.2f}" in text
    alone = metrics["test"]["from_rest"]
    told = ["0 to 0.5 s", "1 to 2 s", "3 to 5 s"]
    shares = [f"{alone['since_start'][span]:.1%}" for span in told]
    assert f"right in {alone['accuracy']:.2%} of the cases" in text
    assert [share for share in shares if share in text] == shares


def test_the_tables_figures_are_on_the_page() -> None:
    """Of folds each, of test sets and streams the mean over a recipe's seeds.

    But for the memories' own, which are in the table of memories.md.
    """
    text, seeds = page.read("training.md"), defaultdict(list)
    manifest = json.loads((live.ROOT / "models" / "larnn-har" / "1" / "model.json").read_text())
    windows = manifest["metrics"]["test"]["windows"]
    results = json.loads((page_of_results.RESULTS / "memories_har.json").read_text())
    of_memories = {r["run"] for r in results if r["run"].startswith(f"{r['family']}-har-s")}
    for name, row in ROWS.items():
        if name in of_memories:
            continue
        assert row["folds"] or row["test"]
        assert row["folds"] in text
        for figure in ("test", "streams"):
            if row[figure]:
                recipe = re.sub(r"-s\d+$", "", name)
                value = float(row[figure].removesuffix("%"))
                if figure == "test":  # the table's rounding would show in the spread
                    value = 100 * round(value / 100 * windows) / windows
                seeds[recipe, figure].append(value)
    for found in seeds.values():
        told = f"{mean(found):.2f} ± {stdev(found):.2f}%" if len(found) > 1 else f"{found[0]:.2f}%"
        assert told in text


def test_the_seeds_of_the_memories_are_those_of_the_table() -> None:
    """And those of the published ones, of which the LARNN learned from streams afterwards."""
    gathered = json.loads((page_of_results.RESULTS / "memories_har.json").read_text())
    models = live.ROOT / "models"  # a family that is not there is compared on other tasks alone
    published = {name for name in FAMILIES if (models / f"{name}-har").is_dir()}
    assert {result["family"] for result in gathered} == published
    for result in gathered:
        assert f"{result['accuracy']:.2%}" == ROWS[result["run"]]["test"], result["run"]
    for result in (each for each in gathered if each["seed"] == 0 and each["family"] != PUBLISHED):
        folder = live.ROOT / "models" / f"{result['family']}-har" / "1" / "checkpoint"
        evaluation = json.loads((folder / "evaluation.json").read_text())
        assert evaluation["correct"] == result["correct"], result["family"]
