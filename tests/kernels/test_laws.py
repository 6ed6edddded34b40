"""What holds of the operators bit for bit: cuts, company, rows of the state, not-a-numbers.

The widths are multiples of 16, where the rest of the graph has stable bits too; test_loop.py has
the others, without the graph.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from larnn_export.families import configure
from larnn_export.networks import RecurrentClassifier
from tests import networks
from tests.kernels import native
from tests.networks import State, row_of

STEPS = 20
KINDS = {
    "n48 h24 k7": {"hidden_size": 48, "heads": 24, "window_size": 7, "normalisation": "batch"},
    "n64 h8 k5": {"hidden_size": 64, "heads": 8, "window_size": 5, "normalisation": "layer"},
    "n16 h2 k1": {"hidden_size": 16, "heads": 2, "window_size": 1, "normalisation": "none"},
    "lstm n48": {"family": "lstm", "hidden_size": 48},
}
each_kind = pytest.mark.parametrize("kind", KINDS)
few = settings(max_examples=12)
lengths_of_rows = st.lists(st.integers(0, STEPS), min_size=2, max_size=19)
seeds = st.integers(0, 1000)


@cache
def opened(kind: str) -> tuple[RecurrentClassifier, Any]:
    config = configure({"family": "larnn", "layers": 2, "zero_attention": False, **KINDS[kind]})
    network = networks.random_network(config)
    return network, native.open_native(network)


def same(mine: State, other: State) -> None:
    for name, value in mine.items():
        np.testing.assert_array_equal(value, other[name], name)


@each_kind
@few
@given(lengths=lengths_of_rows, cut=st.integers(1, 6), seed=seeds)
def test_a_row_has_the_same_bits_alone_and_in_chunks_of_any_size(
    kind: str, lengths: list[int], cut: int, seed: int
) -> None:
    network, session = opened(kind)
    x = networks.signal(len(lengths), STEPS, seed)
    state = native.random_state(network, len(lengths), seed)
    together, after = native.advance(session, x, np.array(lengths), state)
    for row, length in enumerate(lengths):
        alone = row_of(state, row)
        for start in range(0, length, cut):
            end = min(start + cut, length)
            chunk = x[[row], start:end]
            logits, alone = native.advance(session, chunk, np.array([end - start]), alone)
            np.testing.assert_array_equal(logits[0], together[row, start:end])
        same(alone, row_of(after, row))


@each_kind
@few
@given(lengths=lengths_of_rows, seed=seeds)
def test_rows_of_a_larger_state_give_the_same_bits_and_touch_no_other(
    kind: str, lengths: list[int], seed: int
) -> None:
    network, session = opened(kind)
    count = len(lengths)
    places = np.random.default_rng(seed).permutation(3 * count)
    rows, next_rows = places[:count], places[count : 2 * count]
    rows[0] = rows[-1]  # two rows may start from one
    stored = native.random_state(network, 3 * count, seed)
    x = networks.signal(count, STEPS, seed)
    state = {name: value[rows] for name, value in stored.items()}
    expected, after = native.advance(session, x, np.array(lengths), state)
    logits, moved = native.advance_rows(session, x, np.array(lengths), stored, rows, next_rows)
    for row, length in enumerate(lengths):
        np.testing.assert_array_equal(logits[row, :length], expected[row, :length])
    same({name: value[next_rows] for name, value in moved.items()}, after)
    others = np.setdiff1d(np.arange(3 * count), next_rows)
    same(
        {name: value[others] for name, value in moved.items()},
        {name: value[others] for name, value in stored.items()},
    )


@each_kind
def test_several_threads_give_the_same_bits(kind: str) -> None:
    network, session = opened(kind)
    x, lengths = networks.signal(50, STEPS), np.arange(50) % (STEPS + 1)
    state = native.random_state(network, 50, 0)
    logits, after = native.advance(session, x, lengths, state)
    pool = native.open_native(network, threads=3)
    again, moved = native.advance(pool, x, lengths, state)
    np.testing.assert_array_equal(again, logits)
    same(moved, after)


@each_kind
def test_numbers_too_small_to_be_normal_count_as_nothing(kind: str) -> None:
    network, session = opened(kind)
    x, lengths = networks.signal(19, STEPS), np.full(19, STEPS)
    state = native.random_state(network, 19, 0)
    floats = {name: value for name, value in state.items() if value.dtype == np.float32}
    tiny, nothing = (
        state | {name: (value * scale).astype(np.float32) for name, value in floats.items()}
        for scale in (1e-41, 0.0)
    )
    assert all(0 < np.abs(tiny[name]).max() < np.finfo(np.float32).tiny for name in floats)
    logits, after = native.advance(session, x, lengths, tiny)
    expected, then = native.advance(session, x, lengths, nothing)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5)
    for name, value in after.items():
        np.testing.assert_allclose(value, then[name], rtol=0, atol=1e-5, err_msg=name)


@each_kind
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_row_that_is_no_number_says_so_and_harms_no_other(kind: str, bad: float) -> None:
    network, session = opened(kind)
    x, lengths = networks.signal(11, STEPS), np.full(11, STEPS)
    state = native.random_state(network, 11, 0)
    expected, after = native.advance(session, x, lengths, state)
    x[4, 3] = bad
    logits, moved = native.advance(session, x, lengths, state)
    assert not np.isfinite(logits[4, 3:]).all()
    np.testing.assert_array_equal(logits[4, :3], expected[4, :3])
    others = np.arange(11) != 4
    np.testing.assert_array_equal(logits[others], expected[others])
    same(
        {name: value[others] for name, value in moved.items()},
        {name: value[others] for name, value in after.items()},
    )


@each_kind
def test_padding_may_hold_anything_and_adds_nothing(kind: str) -> None:
    network, session = opened(kind)
    lengths, state = np.array([2, 0, 4]), native.random_state(network, 3, 0)
    x = networks.signal(3, 4)
    logits, after = native.advance(session, x, lengths, state)
    for row, length in enumerate(lengths):
        x[row, length:] = np.nan
    again, moved = native.advance(session, x, lengths, state)
    for row, length in enumerate(lengths):
        np.testing.assert_array_equal(again[row, :length], logits[row, :length])
    same(moved, after)


@pytest.mark.parametrize(
    ("rows", "next_rows", "what"),
    [
        ([0, 1], [2, 2], "must differ"),
        ([0, 1], [1, 2], "both rows and next_rows"),
        ([0, 4], [2, 3], "rows of the state"),
        ([0, 1], [-1, 2], "rows of the state"),
        ([0, 1, 2], [3], "rows is .3., expected .2."),
    ],
)
def test_rows_that_do_not_fit_are_refused(rows: list[int], next_rows: list[int], what: str) -> None:
    network, session = opened("n16 h2 k1")
    stored = native.random_state(network, 4, 0)
    x, lengths = networks.signal(2, 1), np.ones(2, dtype=np.int64)
    with pytest.raises(Exception, match=what):
        native.advance_rows(session, x, lengths, stored, np.array(rows), np.array(next_rows))


@pytest.mark.parametrize(("name", "value"), [("lengths", 3), ("lengths", -1), ("filled_0", 9)])
def test_numbers_out_of_range_are_refused(name: str, value: int) -> None:
    network, session = opened("n16 h2 k1")
    arrays = {"lengths": np.ones(2, dtype=np.int64), **native.random_state(network, 2, 0)}
    arrays[name] = np.array([value, 1])
    with pytest.raises(Exception, match=f"{name.removesuffix('_0')} must be from 0 to"):
        native.advance(session, networks.signal(2, 2), arrays.pop("lengths"), arrays)
