"""One run: the next steps of several rows go in, and each row's outputs and next state come out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from larnn_service.contract import Contract
from larnn_service.engine.batching.queue_entries import Row
from larnn_service.engine.batching.state_pool import Arena, Slot
from larnn_service.interfaces import Backend, Floats, Steps


class Ran(NamedTuple):
    """The result of a run."""

    rows: list[tuple[Floats | None, Slot]]
    """Of each row its outputs, or None if they are not finite, and the slot of its next state."""
    seconds: float
    """CPU time of the thread that ran."""


def run(
    backend: Backend,
    arena: Arena,
    contract: Contract,
    rows: Sequence[Row],
    slots: Sequence[Slot],
    counts: Sequence[int],
) -> Ran:
    """Run `counts[i]` steps of each row i on from slots[i]. May be called in any thread."""
    pieces = [row.next(count) for row, count in zip(rows, counts, strict=True)]
    lengths = np.array(counts, dtype=np.int64)
    over = [row.ends and row.left == count for row, count in zip(rows, counts, strict=True)]
    began = time.thread_time()
    outputs, after = arena.advance(backend, _padded(pieces), lengths, slots, over)
    seconds = time.thread_time() - began
    wanted = _wanted(outputs, rows, counts)
    good = contract.are_good(wanted if isinstance(wanted, np.ndarray) else outputs)
    each = [own if good or (len(rows) > 1 and contract.are_good(own)) else None for own in wanted]
    return Ran(list(zip(each, after, strict=True)), seconds)


def _wanted(outputs: Floats, rows: Sequence[Row], counts: Sequence[int]) -> Floats | list[Floats]:
    """The outputs that each row keeps, of [rows, steps, columns].

    A row that `ends` (a whole sequence) keeps those of its last step, others those of all of their
    steps. They are one array where that is cheaper.
    """
    if len(rows) == 1:
        return outputs[:, counts[0] - 1 if rows[0].ends else 0 :]
    if all([row.ends for row in rows]):
        return outputs[np.arange(len(rows)), np.array(counts) - 1, None]
    return [
        outputs[index, count - 1 if row.ends else 0 : count].copy()
        for index, (row, count) in enumerate(zip(rows, counts, strict=True))
    ]


def _padded(pieces: Sequence[Steps]) -> Steps:
    """[rows, steps, channels] of pieces [steps, channels], with zeros behind the shorter ones."""
    if len(pieces) == 1 and pieces[0].flags.aligned:  # what a client sent may begin anywhere
        return pieces[0][None]
    steps, channels = max(map(len, pieces)), pieces[0].shape[1]
    if len(pieces) * steps == sum(map(len, pieces)):
        return np.concatenate(pieces).reshape(len(pieces), steps, channels)
    x = np.zeros((len(pieces), steps, channels), dtype=pieces[0].dtype)
    for row, piece in zip(x, pieces, strict=True):
        row[: len(piece)] = piece
    return x
