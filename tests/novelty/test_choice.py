"""The rule: which candidate wins, on whom it is measured, and what its threshold lets pass."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from larnn_export.changes import NOVEL, ROWS
from larnn_export.data.hapt import TEST_SUBJECTS, Recording, load_recordings
from larnn_export.novelty.choice import (
    AIM,
    AIM_OF_TRANSITIONS,
    CANDIDATES,
    FOLDS,
    KNOWN,
    TIE,
    TRANSITIONS,
    auroc,
    choose,
    margin,
    winner,
)
from larnn_export.robustness_command import MODEL
from larnn_export.trained_on import known_to
from tests import live, made_up_people


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> list[Recording]:
    found = load_recordings(made_up_people.write(tmp_path_factory.mktemp("people")))
    cut = [replace(r, signals=r.signals[:3600], labels=r.labels[:3600]) for r in found]
    return [r for r in cut if r.subject <= 6]


def test_an_auroc_counts_pairs() -> None:
    known, novel = np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0])
    assert auroc(known, novel) == pytest.approx((1 + 0.5 + 0 + 3) / 6)
    assert auroc(known, known) == 0.5


def test_the_smallest_margin_decides_and_a_tie_goes_to_the_first() -> None:
    good = {name: AIM + 0.03 for name in NOVEL} | {TRANSITIONS: AIM_OF_TRANSITIONS + 0.01}
    assert margin(good) == pytest.approx(0.01)
    assert margin(good | {NOVEL[0]: AIM - 0.02}) == pytest.approx(-0.02)
    margins = [0.01, 0.05 - TIE / 2, 0.05, -0.1]
    assert winner([{"margin": each} for each in margins]) == 1


def test_rows_that_count_are_in_the_table() -> None:
    assert {*NOVEL} < {row.name for row in ROWS}


def test_a_choice_is_repeated_to_the_bit_and_zeros_are_told(people: list[Recording]) -> None:
    rows = [row for row in ROWS if row.name in NOVEL]
    candidates = [replace(CANDIDATES[1], seconds=(0.2, 1.0), each=1)]
    score, figures = choose(people, rows, candidates)
    again, same = choose(people, rows, candidates)
    assert figures == same
    np.testing.assert_array_equal(score.prototypes.points, again.prototypes.points)
    [only] = figures["candidates"]
    assert only["auroc"]["zeros"] > 0.99 and only["unsure"] < 0.05
    assert score.threshold == only["threshold"] > 0
    own = np.concatenate([score.of_recording(r.signals)[r.labels >= 0] for r in people])
    assert (own <= score.threshold).mean() > KNOWN - 0.02


def test_too_few_people_are_refused(people: list[Recording]) -> None:
    with pytest.raises(ValueError, match="5 folds of people"):
        choose(people[: FOLDS - 1], ROWS[1:2])


def test_nobody_but_people_of_training_is_read() -> None:
    run = live.ROOT / MODEL.parent / "1" / "checkpoint"
    record = json.loads((run / "checkpoint.json").read_text())
    assert known_to(record, range(1, 31)) == {*range(1, 31)} - {*TEST_SUBJECTS}
