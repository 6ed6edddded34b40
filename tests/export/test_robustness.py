"""The robustness table on a few steps of made-up people, by the published network."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer

from larnn_export.changes import NOVEL, ROWS, Row
from larnn_export.data.hapt import (
    NO_ACTIVITY,
    RAW_CHANNELS,
    TEST_SUBJECTS,
    TRANSITION,
    Recording,
    load_recordings,
)
from larnn_export.data.uci_har import LABELS
from larnn_export.novelty.choice import AIM, AIM_OF_TRANSITIONS
from larnn_export.robustness import ROBUSTNESS_FILE, measure
from larnn_export.robustness_card import robustness_section, table
from larnn_export.robustness_command import MODEL, robustness
from larnn_export.robustness_novelty import Novelties
from larnn_export.robustness_picture import ROBUSTNESS_PICTURE
from larnn_service.conversion.conversion import conversion
from larnn_service.inputs import Input
from tests import live, made_up_people

VERSION = live.ROOT / MODEL
STEP = Input(channels=RAW_CHANNELS)
FEW = [row for row in ROWS if row.name in ("as recorded", "acceleration in m/s²", "zeros")]


@pytest.mark.parametrize("row", [row for row in ROWS if row.told], ids=lambda row: row.name)
def test_what_is_told_undoes_the_change(row: Row) -> None:
    signals = np.random.default_rng(0).normal(0, 1, (8, 6)).astype(np.float32)
    changed = row.change(signals.copy(), np.random.default_rng(1))
    found = conversion(STEP, "phone", row.units, row.axes)
    assert found is not None and not np.allclose(changed, signals)
    np.testing.assert_allclose(found(changed), signals, rtol=1e-6)


@pytest.mark.parametrize("axis", range(3))
def test_turns_are_rotations(axis: int) -> None:
    """A left-handed frame would flip the sign of turning against acceleration."""
    row = next(row for row in ROWS if row.name == f"turned by 90° about {'xyz'[axis]}")
    turned = row.change(np.tile(np.eye(3, dtype=np.float32), 2), np.random.default_rng(0))
    for sensor in np.split(turned, 2, axis=1):
        assert np.linalg.det(sensor) == pytest.approx(1)
        assert sensor[axis, axis] == 1


def test_a_few_steps_of_two_recordings(tmp_path: Path) -> None:
    people = load_recordings(made_up_people.write(tmp_path))
    mine = [person for person in people if person.subject in TEST_SUBJECTS]
    cut = [
        replace(person, signals=person.signals[:steps], labels=person.labels[:steps])
        for person, steps in zip(mine[:2], (500, 40), strict=True)
    ]
    plain, scaled, zeros = measure(VERSION, cut, rows=FEW)
    assert plain["as_it_comes"]["steps"] == sum(len(r.labels) for r in cut)
    assert plain["told"] is None and zeros["as_it_comes"]["accuracy"] is None
    assert scaled["told"]["most_common"] == plain["as_it_comes"]["most_common"]
    for name in ("accuracy", "confidence"):
        assert scaled["told"][name] == pytest.approx(plain["as_it_comes"][name], rel=1e-3)
        assert scaled["as_it_comes"][name] != plain["as_it_comes"][name]
    [alone] = measure(VERSION, cut[:1], rows=FEW[:1])
    [other] = measure(VERSION, cut[1:], rows=FEW[:1])
    both = [alone["as_it_comes"], other["as_it_comes"]]
    steps = [figures["steps"] for figures in both]
    mean = np.average([figures["confidence"] for figures in both], weights=steps)
    assert mean == pytest.approx(plain["as_it_comes"]["confidence"], rel=1e-5)


@pytest.mark.parametrize("other", [NO_ACTIVITY, TRANSITION])
def test_only_steps_of_an_activity_are_asked(other: int) -> None:
    """Steps that follow without an activity change the share of right answers in nothing."""
    signals = np.random.default_rng(0).normal(0, 1, (64, 6)).astype(np.float32)

    def accuracy(labels: list[int]) -> float | None:
        recording = Recording(1, 2, signals[: len(labels)], np.array(labels))
        [row] = measure(VERSION, [recording], rows=FEW[:1])
        found: float | None = row["as_it_comes"]["accuracy"]
        return found

    shares = [accuracy([label] * 32 + [other] * 32) for label in range(len(LABELS))]
    assert shares == [accuracy([label] * 32) for label in range(len(LABELS))]
    assert sum(share or 0 for share in shares) == pytest.approx(1)
    assert accuracy([other] * 64) is None


def test_the_command_writes_what_the_card_tells(tmp_path: Path) -> None:
    data = made_up_people.write(tmp_path / "data")
    robustness(VERSION, data, recordings=1, steps=48, output=tmp_path / "told")
    record = json.loads((tmp_path / "told" / ROBUSTNESS_FILE).read_text())
    assert (record["recordings"], record["people"], record["steps"]) == (1, 1, 48)
    kept = json.loads((VERSION / "checkpoint" / "checkpoint.json").read_text())
    assert record["tensors_sha256"] == kept["tensors_sha256"]
    assert (tmp_path / "told" / ROBUSTNESS_PICTURE).stat().st_size > 1000
    told = robustness_section(record)
    assert all(f"| {row.name} |" in told for row in ROWS)
    assert "| unlike training, AUROC | unsure |" in told
    zeros = next(row for row in record["rows"] if row["row"] == "zeros")
    assert zeros["novelty"]["unsure"] == 1
    assert robustness_section(None) == ""


def test_a_part_and_people_whom_the_network_knows_are_refused(tmp_path: Path) -> None:
    data = made_up_people.write(tmp_path / "data")
    for recordings, steps in ((1, None), (None, 48)):
        with pytest.raises(typer.BadParameter, match="add --output"):
            robustness(VERSION, data, recordings, steps)
    version = tmp_path / "larnn-har-raw" / "1"
    shutil.copytree(VERSION, version)
    file = version / "checkpoint" / "checkpoint.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"trained_on": [*range(1, 31)]}))
    with pytest.raises(typer.BadParameter, match="trained on everybody"):
        robustness(version, data, output=tmp_path / "told")


def test_a_novelty_is_compared_with_known_steps_of_people_as_recorded() -> None:
    novelties = Novelties(threshold=2.0)
    labels = np.array([0, 1, NO_ACTIVITY, TRANSITION])
    novelties.add("own", np.array([1.0, 2.5, 9.0, 3.0], np.float32), labels)
    novelties.add("turned", np.array([3.0, 2.0, 0.0, 0.0], np.float32), labels)
    novelties.add("zeros", np.array([4.0, 1.0], np.float32), None)
    assert novelties.figures("own", "own") == {
        "unsure": 0.5,
        "transitions_auroc": 1.0,
        "transitions_unsure": 1.0,
    }
    assert novelties.figures("turned", "own") == {"unsure": 0.5, "auroc": 0.75}
    assert novelties.figures("zeros", "own") == {"unsure": 0.5, "auroc": 0.625}


def test_its_version_in_the_card_is_within_the_aim() -> None:
    record = json.loads((VERSION / "checkpoint" / ROBUSTNESS_FILE).read_text())
    assert [row["row"] for row in record["rows"]] == [row.name for row in ROWS]
    plain = record["rows"][0]["as_it_comes"]["accuracy"]
    for row in record["rows"]:
        if row["told"] is not None:
            assert row["told"]["accuracy"] == pytest.approx(plain, abs=0.001)
    assert robustness_section(record) in (VERSION / "README.md").read_text()
    assert table(record["rows"]) in (live.ROOT / "docs" / "training.md").read_text()


def test_the_bundled_novelty_is_within_its_aims() -> None:
    record = json.loads((VERSION / "checkpoint" / ROBUSTNESS_FILE).read_text())
    novelty = {row["row"]: row["novelty"] for row in record["rows"]}
    assert all(novelty[name]["auroc"] >= AIM for name in NOVEL)
    own = novelty["as recorded"]
    assert own["transitions_auroc"] >= AIM_OF_TRANSITIONS
    assert own["unsure"] <= 0.02
