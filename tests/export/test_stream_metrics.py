"""How streams are measured, on streams whose figures are known."""

from __future__ import annotations

import numpy as np
import pytest

from larnn_export.stream_metrics import (
    Stream,
    best_temperature,
    delays,
    macro_f1,
    probabilities,
    reliability,
    trend,
)


def stream(labels: list[int], answers: list[int], subject: int = 1) -> Stream:
    return Stream(subject, np.array(labels), np.eye(6)[answers] * 5)


def test_the_delay_counts_to_the_first_answer_that_holds() -> None:
    """10 steps wrong, 5 right, 1 wrong, then right: stable from step 16 on, 0.32 s."""
    answers = [1] * 10 + [0] * 5 + [1] + [0] * 84
    labels = [-1] * 7 + [0] * 100 + [2] * 50 + [-1] * 3 + [3] * 10
    found = delays(stream(labels, [5] * 7 + answers + [0] * 50 + [0] * 13))
    assert found == [pytest.approx(0.32), None]


def test_macro_f1_weighs_classes_alike() -> None:
    labels = np.array([0, 0, 0, 0, 1, 2, 3, 4, 5])
    predicted = np.array([0, 0, 0, 0, 0, 2, 3, 4, 5])
    assert macro_f1(labels, predicted) == pytest.approx((8 / 9 + 0 + 4) / 6)


def test_the_best_temperature_undoes_a_factor() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 2, (20000, 6))
    shares = probabilities(logits)
    labels = (shares.cumsum(1) < random.random((20000, 1))).sum(1)
    assert best_temperature(labels, logits * 3) == pytest.approx(3, rel=0.05)
    assert reliability(labels, shares).error < 0.02
    assert reliability(labels, probabilities(logits * 3)).error > 0.1


def test_a_decay_is_seen_and_its_interval_knows_the_people() -> None:
    random = np.random.default_rng(0)
    minutes = np.arange(15000) / 3000
    steady, fading = [], []
    for person in range(8):
        found = stream([0] * 15000, [0] * 15000, person)
        steady.append((found, random.random(15000) < 0.9))
        fading.append((found, random.random(15000) < 0.9 - 0.05 * minutes))
    flat, falling = (
        trend([s for s, _ in each], [right.astype(float) for _, right in each])
        for each in (steady, fading)
    )
    assert flat.low < 0 < flat.high
    assert falling.low < falling.slope < falling.high < 0
    assert falling.slope == pytest.approx(-5, abs=0.5)
