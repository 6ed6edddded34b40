"""Steps at a steady rate, however their samples come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larnn_client import Resampler

pauses = st.lists(st.floats(0.001, 0.2), min_size=1, max_size=60)
cuts = st.lists(st.integers(0, 61), max_size=6).map(sorted)


@given(pauses=pauses, cuts=cuts, rate=st.sampled_from([25.0, 50.0, 3.7]))
def test_it_does_not_matter_in_which_parts_samples_come(
    pauses: list[float], cuts: list[int], rate: float
) -> None:
    times = np.cumsum(pauses) + 1e9
    samples = np.random.default_rng(0).normal(size=(len(times), 2))
    [*earlier, last] = Resampler(rate, 0.15).push(times, samples)
    found: list[list[np.ndarray]] = [[]]
    resampler = Resampler(rate, 0.15)
    for part in np.split(np.arange(len(times)), cuts):
        first, *others = resampler.push(times[part], samples[part])
        found[-1].append(first)
        found += [[other] for other in others]
    assert len(found) == len(earlier) + 1
    for mine, theirs in zip(found, [*earlier, last], strict=True):
        np.testing.assert_array_equal(np.concatenate(mine), theirs)


@given(pauses=pauses, rate=st.sampled_from([25.0, 50.0, 3.7]))
def test_a_straight_line_stays_one(pauses: list[float], rate: float) -> None:
    times = np.cumsum(pauses)
    [steps] = Resampler(rate, 1.0).push(times, 3 * times[:, None] - 1)
    expected = 3 * (times[0] + np.arange(len(steps)) / rate) - 1
    np.testing.assert_allclose(steps[:, 0], expected, atol=1e-5)
    assert -1e-9 <= times[-1] - times[0] - (len(steps) - 1) / rate < 1 / rate + 1e-9


def test_a_gap_begins_anew_and_equal_times_count_once() -> None:
    resampler = Resampler(10, longest_gap=0.3)
    steps, again = resampler.push([0, 0, 0.2, 5.0, 5.1], [[1], [9], [3], [7], [8]])
    np.testing.assert_allclose(steps, [[1], [2], [3]])
    np.testing.assert_allclose(again, [[7], [8]])
    [more] = resampler.push([5.2], [[9]])
    np.testing.assert_allclose(more, [[9]])
    [none] = resampler.push([5.2], [[4]])
    assert none.shape == (0, 1)


@pytest.mark.parametrize(
    ("times", "samples", "told"),
    [
        ([1.0, 0.5], [[0], [0]], "time runs backwards: 0.5 s behind 1 s"),
        ([-1.0], [[0]], "time runs backwards: -1 s behind 0 s"),
        ([1.0], [0], r"times \[1\] and samples \[1\]"),
        ([1.0, 2.0], [[0]], r"times \[2\] and samples \[1, 1\]"),
        ([np.nan], [[0]], "not finite"),
        ([1.0], [[np.inf]], "not finite"),
    ],
)
def test_what_is_wrong_is_told_and_changes_nothing(
    times: list[float], samples: Any, told: str
) -> None:
    resampler = Resampler(1, 2)
    resampler.push([0.0], [[5.0]])
    with pytest.raises(ValueError, match=told):
        resampler.push(times, samples)
    [steps] = resampler.push([1.0], [[6.0]])
    assert steps.tolist() == [[6.0]]


@pytest.mark.parametrize(("rate", "gap"), [(0, 1), (-1, 1), (np.inf, 1), (np.nan, 1), (1, 0)])
def test_a_rate_and_a_gap_are_positive(rate: float, gap: float) -> None:
    with pytest.raises(ValueError, match="positive"):
        Resampler(rate, gap)
