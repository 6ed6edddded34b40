"""Where state rests between runs: one array a state tensor, one slot a row.

A run reads its rows' slots and writes what follows into new ones: in one operation a tensor however
many rows there are, or in none where the backend works on the arrays themselves. A slot is written
once and freed when nobody holds it: a row that moved holds a new one, and a run that failed changed
nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_service.interfaces import Backend, Floats, Indices, RowState, State

SLOTS, RESERVED = 4096, 2**27
"""Slots for which there are addresses from the start, within so many bytes. Memory follows as they
are written: a thousand streams that open at once do not wait for copies of arrays that grow."""


class Slot(Mapping[str, NDArray[Any]]):
    """A row's state in an arena, read as a RowState: each tensor is a copy."""

    __slots__ = ("_arena", "index")

    def __init__(self, arena: Arena, index: int) -> None:
        self._arena, self.index = arena, index

    def __getitem__(self, name: str) -> NDArray[Any]:
        return np.array(self._arena.tensors[name][self.index])

    def __iter__(self) -> Iterator[str]:
        return iter(self._arena.tensors)

    def __len__(self) -> int:
        return len(self._arena.tensors)

    def __del__(self) -> None:
        self._arena.free.append(self.index)

    def is_in(self, arena: Arena) -> bool:
        """Whether that arena holds it."""
        return self._arena is arena


class Arena:
    """The states of one model's rows. Grows as needed; may be used from several threads."""

    def __init__(self, initial: RowState, slots: int = SLOTS) -> None:
        """`initial`: the state before the first step. `slots`: so many at first, or as many as
        RESERVED holds."""
        size = sum(array.nbytes for array in initial.values())
        self._capacity = slots = max(min(slots, RESERVED // max(size, 1)), 1)
        self.tensors: State = {
            name: np.empty((slots, *first.shape), first.dtype) for name, first in initial.items()
        }
        self.free: list[int] = list(reversed(range(slots)))
        self._writing = threading.Lock()
        self.initial = self.place(initial)
        """The state before the first step."""

    def place(self, state: RowState) -> Slot:
        """The state's own slot, or a new one with a copy of it."""
        if isinstance(state, Slot) and state.is_in(self):
            return state
        return self.write({name: value[None] for name, value in state.items()})[0]

    def advance(
        self,
        backend: Backend,
        x: Floats,
        lengths: NDArray[np.int64],
        slots: Sequence[Slot],
        ends: Sequence[bool],
    ) -> tuple[Floats, list[Slot]]:
        """Run rows on from their slots: outputs, and the new slots that hold what follows; for a
        row that ends here the initial state."""
        indices = self._taken(len(slots))
        rows, tensors = np.array(indices), self.tensors
        try:
            outputs = backend.advance(x, lengths, tensors, _rows(slots), rows)
        except Exception:
            self.free.extend(indices)
            raise
        with self._writing:
            if tensors is not self.tensors:  # they grew meanwhile
                for name, tensor in self.tensors.items():
                    tensor[rows] = tensors[name][rows]
        if True not in ends:
            return outputs, [Slot(self, index) for index in indices]
        self.free.extend([index for index, over in zip(indices, ends, strict=True) if over])
        initial = self.initial
        return outputs, [
            initial if over else Slot(self, index)
            for index, over in zip(indices, ends, strict=True)
        ]

    def write(self, state: State) -> list[Slot]:
        """New slots with the rows of a batch; one slot where there are no tensors."""
        slots = self._slots(len(next(iter(state.values()), "1")))
        rows = _rows(slots)
        with self._writing:
            for name, tensor in self.tensors.items():
                tensor[rows] = state[name]
        return slots

    def _slots(self, count: int) -> list[Slot]:
        return [Slot(self, index) for index in self._taken(count)]

    def _taken(self, count: int) -> list[int]:
        with self._writing:
            while len(self.free) < count:
                self._grow()
            return [self.free.pop() for _ in range(count)]

    def _grow(self) -> None:
        self.tensors = {
            name: np.concatenate([tensor, np.empty_like(tensor)])
            for name, tensor in self.tensors.items()
        }
        self.free.extend(reversed(range(self._capacity, 2 * self._capacity)))
        self._capacity *= 2


def _rows(slots: Sequence[Slot]) -> Indices:
    return np.array([slot.index for slot in slots], dtype=np.int64)
