"""One run: pieces of rows side by side in, each row's outputs and state out."""

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
    """What came of it."""

    rows: list[tuple[Floats | None, Slot]]
    """Each row's outputs, None where they are not finite, and what follows."""
    seconds: float
    """Of the processor, in the thread that ran."""


def run(
    backend: Backend,
    arena: Arena,
    contract: Contract,
    rows: Sequence[Row],
    counts: Sequence[int],
) -> Ran:
    """So many steps of each row. Belongs in any thread."""
    pieces = [row.next(count) for row, count in zip(rows, counts, strict=True)]
    lengths = np.array(counts, dtype=np.int64)
    slots = [row.state for row in rows]
    over = [row.ends and row.left == count for row, count in zip(rows, counts, strict=True)]
    began = time.thread_time()
    outputs, after = arena.advance(backend, _padded(pieces), lengths, slots, over)
    seconds = time.thread_time() - began
    kept: list[Floats]
    if len(rows) == 1:  # all of it is this row's, and what numpy does for several costs more
        outputs = outputs[:, counts[0] - 1 if rows[0].ends else 0 :]
        kept = [outputs[0]]
    elif all([row.ends for row in rows]):
        outputs = outputs[np.arange(len(rows)), lengths - 1, None]
        kept = list(outputs)
    else:
        kept = [
            outputs[index, count - 1 if row.ends else 0 : count].copy()
            for index, (row, count) in enumerate(zip(rows, counts, strict=True))
        ]
    whole = contract.are_good(outputs)
    each = [own if whole or contract.are_good(own) else None for own in kept]
    return Ran(list(zip(each, after, strict=True)), seconds)


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
