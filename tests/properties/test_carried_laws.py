"""The laws of the recurrent state, for state of every type and for context: through the engine's
arena, and by bytes."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from larnn_service.backend.model_repository import load_model
from larnn_service.engine.batching.state_pool import Arena, Slot
from larnn_service.engine.streams.checkpoint import (
    DamagedCheckpoint,
    beginning,
    check,
    decode,
    encode,
)
from larnn_service.interfaces import Floats, Model, RowState
from tests import carried

steps_of_rows = st.lists(
    st.lists(st.integers(0, 3), min_size=1, max_size=12), min_size=1, max_size=4
)
gains = st.floats(-4, 4, width=32)
few = settings(max_examples=25)


@functools.cache
def model() -> Model:
    with tempfile.TemporaryDirectory() as root:
        return load_model(carried.publish(Path(root)), "cpu")


def start(gain: float) -> RowState:
    return {**model().initial, "gain": np.array(gain, np.float32)}


def advance(
    arena: Arena, rows: list[list[int]], slots: list[Slot]
) -> tuple[list[Floats], list[Slot]]:
    """All rows in one run."""
    lengths = np.array([len(row) for row in rows])
    x = np.zeros((len(rows), max(lengths), 1), np.float32)
    for padded, row in zip(x, rows, strict=True):
        padded[: len(row), 0] = row
    outputs, after = arena.advance(model().backend, x, lengths, slots, [False] * len(rows))
    return [told[: len(row)] for told, row in zip(outputs, rows, strict=True)], after


def same(mine: RowState, other: RowState) -> bool:
    return all(np.array_equal(mine[name], other[name]) for name in model().initial)


@few
@given(rows=steps_of_rows, gain=gains)
def test_rows_together_are_rows_alone_and_what_they_should_be(
    rows: list[list[int]], gain: float
) -> None:
    arena = Arena(model().initial)
    slots = [arena.place(start(gain)) for _ in rows]
    together, after = advance(arena, rows, slots)
    for row, slot, outputs, moved in zip(rows, slots, together, after, strict=True):
        [alone], [alone_after] = advance(arena, [row], [slot])
        np.testing.assert_array_equal(alone, outputs)
        assert same(alone_after, moved)
        answer, told = carried.expected(np.array(row, np.float32)[:, None], gain)
        np.testing.assert_allclose(outputs, np.hstack([answer, told]), rtol=1e-6, atol=1e-6)
        assert moved["gain"] == np.float32(gain)
        np.testing.assert_array_equal(moved["shift"], carried.DEFAULT_SHIFT)


@few
@given(row=st.lists(st.integers(0, 3), min_size=2, max_size=12), gain=gains, data=st.data())
def test_a_row_cut_anywhere_and_stored_between_is_the_row(
    row: list[int], gain: float, data: st.DataObject
) -> None:
    arena = Arena(model().initial)
    [whole], [after] = advance(arena, [row], [arena.place(start(gain))])
    place = data.draw(st.integers(1, len(row) - 1))
    [first], [between] = advance(arena, [row[:place]], [arena.place(start(gain))])
    checkpoint = beginning(model(), "one", between)
    stored = decode(encode(checkpoint), fence=1)
    check(stored, model().manifest.contract)
    [second], [end] = advance(arena, [row[place:]], [arena.place(stored.state)])
    np.testing.assert_array_equal(np.concatenate([first, second]), whole)
    assert same(end, after)


@pytest.mark.parametrize("tensor", model().manifest.contract.carried, ids=lambda t: t.name)
def test_a_stored_tensor_of_another_type_is_damaged(tensor: object) -> None:
    name = getattr(tensor, "name", "")
    value = model().initial[name]
    spoilt = {**model().initial, name: value.astype(np.float64 if value.dtype != "f8" else "f4")}
    with pytest.raises(DamagedCheckpoint, match="not of the model's tensors"):
        check(beginning(model(), "one", spoilt), model().manifest.contract)
