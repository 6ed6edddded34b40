"""The arena: runs from slot to slot, in the arrays themselves or by copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from larnn_service.engine.batching.state_pool import SLOTS, Arena
from larnn_service.interfaces import Floats, Indices, Operator, State, advance_by_copy
from tests import toy

FEW = 8


class Adder:
    """Adds each row's first step to its total, and lets the arena grow while it runs."""

    provider = "numpy"
    operator: Operator = "native"

    def __init__(self, arena: Arena, in_place: bool, grows: bool = False) -> None:
        self._arena, self._in_place, self._grows = arena, in_place, grows

    def run(self, x: Floats, lengths: Any, state: State) -> tuple[Floats, State]:
        after = {"total": state["total"] + x[:, 0], "seen": state["seen"] + lengths}
        return np.zeros((*x.shape[:2], 3), np.float32), after

    def advance(
        self, x: Floats, lengths: Any, tensors: State, rows: Indices, next_rows: Indices
    ) -> Floats:
        if self._grows:
            one = {name: value[:1] for name, value in tensors.items()}
            self._held = [self._arena.write(one) for _ in range(2 * FEW)]
        if not self._in_place:
            return advance_by_copy(self.run, x, lengths, tensors, rows, next_rows)
        tensors["total"][next_rows] = tensors["total"][rows] + x[:, 0]
        tensors["seen"][next_rows] = tensors["seen"][rows] + lengths
        return np.zeros((*x.shape[:2], 3), np.float32)


class Failing(Adder):
    """Runs nothing."""

    def __init__(self) -> None:
        pass

    def advance(self, *given: Any) -> Floats:
        raise ZeroDivisionError


@pytest.mark.parametrize("in_place", [True, False])
@pytest.mark.parametrize("grows", [True, False])
def test_rows_move_to_new_slots_even_where_the_arrays_grow_meanwhile(
    in_place: bool, grows: bool
) -> None:
    arena = Arena(toy.CONTRACT.initial_state(), FEW)
    backend = Adder(arena, in_place, grows)
    slots, x = [arena.initial] * 3, np.arange(6, dtype=np.float32).reshape(3, 1, 2)
    for count in (1, 2):
        before = slots
        _, slots = arena.advance(backend, x, np.ones(3, dtype=np.int64), slots, [False] * 3)
        assert not {slot.index for slot in slots} & {slot.index for slot in before}
        for row, slot in enumerate(slots):
            np.testing.assert_array_equal(slot["total"], count * x[row, 0])
            assert slot["seen"] == count
    np.testing.assert_array_equal(arena.initial["total"], [0, 0])


def test_no_memory_is_touched_before_it_is_needed() -> None:
    arena = Arena(toy.CONTRACT.initial_state())
    assert {len(tensor) for tensor in arena.tensors.values()} == {SLOTS}
    assert arena.initial.index == 0
    assert arena.write({name: tensor[:1] for name, tensor in arena.tensors.items()})[0].index == 1


@pytest.mark.parametrize("in_place", [True, False])
def test_rows_without_state_have_slots_too(in_place: bool) -> None:
    class Steps(Adder):
        def run(self, x: Floats, lengths: Any, state: State) -> tuple[Floats, State]:
            return x, {}

        def advance(self, x: Floats, lengths: Any, tensors: State, *rows: Any) -> Floats:
            return x if in_place else advance_by_copy(self.run, x, lengths, tensors, *rows)

    arena = Arena({}, 2)
    x = np.arange(10, dtype=np.float32).reshape(5, 1, 2)
    given = arena.advance(
        Steps(arena, in_place), x, np.ones(5, dtype=np.int64), [arena.initial] * 5, [False] * 5
    )
    np.testing.assert_array_equal(given[0], x)
    assert len({slot.index for slot in (*given[1], arena.initial)}) == 6


def test_a_slot_is_free_again_when_nobody_holds_it() -> None:
    arena = Arena(toy.CONTRACT.initial_state())
    slots, free = [arena.initial] * 4, len(arena.free)
    backend = Adder(arena, in_place=True)
    for _ in range(5):
        x = np.ones((4, 1, 2), np.float32)
        slots = arena.advance(backend, x, np.ones(4, dtype=np.int64), slots, [False] * 4)[1]
    assert len(arena.free) == free - 4
    del slots
    assert len(arena.free) == free


def test_a_row_that_ends_and_a_run_that_fails_keep_no_slot() -> None:
    arena = Arena(toy.CONTRACT.initial_state())
    x, lengths = np.ones((2, 1, 2), np.float32), np.ones(2, dtype=np.int64)
    slots, free = [arena.initial] * 2, len(arena.free)
    _, after = arena.advance(Adder(arena, in_place=True), x, lengths, slots, [True, False])
    assert (after[0], len(arena.free)) == (arena.initial, free - 1)
    np.testing.assert_array_equal(after[1]["total"], [1, 1])
    with pytest.raises(ZeroDivisionError):
        arena.advance(Failing(), x, lengths, after, [False, False])
    assert len(arena.free) == free - 1
