"""docs/training.md and docs/runs.csv: every row's command is one that the tool takes."""

from __future__ import annotations

import csv
import json
import shlex

import pytest

from export.recipe import NETWORKS, TrainConfig
from export.training_command import configured
from tests import live
from tests.docs import page

with (page.DOCS / "runs.csv").open(newline="") as table:
    ROWS = {row["run"]: row for row in csv.DictReader(table)}


@pytest.mark.parametrize("run", ROWS)
def test_a_row_can_be_made_again(run: str) -> None:
    words = shlex.split(ROWS[run]["command"], comments=True)
    assert words[:3] == ["python", "-m", "export"] and words[4] == f"runs/{run}"
    options = list(zip(words[5::2], words[6::2], strict=True))
    network = NETWORKS[dict(options)["--preset"]]
    configured(network, [value for name, value in options if name == "-n"])
    training = configured(TrainConfig(), [value for name, value in options if name == "-t"])
    assert training.seed == int(ROWS[run]["seed"])


def test_the_published_models_figures_are_in_the_table_and_on_the_page() -> None:
    har, raw = (
        json.loads((live.ROOT / "models" / name / "1/model.json").read_text())["metrics"]
        for name in ("larnn-har", "larnn-har-raw")
    )
    assert f"{har['test']['accuracy']:.2%}" == ROWS["larnn-har-s0"]["test"]
    assert f"{har['folds']['accuracy']:.2%}" == ROWS["larnn-folds"]["folds"]
    assert f"{raw['test']['accuracy']:.2%}" == ROWS["larnn-live"]["test"]
    assert f"{raw['streams']['accuracy']:.2%}" == ROWS["larnn-live"]["streams"]
    text = page.read("training.md")
    assert len(ROWS) >= 4
    for row in ROWS.values():
        for figure in (row["folds"], row["test"], row["streams"]):
            assert figure in text
