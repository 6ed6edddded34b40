"""A graph over whole streams, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.onnx_run import Session
from larnn_export.stream_evaluation import CHUNK
from larnn_service.contract import INPUT, LENGTHS, Contract


def run_together(
    session: Session,
    contract: Contract,
    streams: Sequence[NDArray[np.float32]],
    outputs: Sequence[str],
) -> Iterator[tuple[int, list[NDArray[Any]]]]:
    """The first step and these outputs [streams, steps, …] of each chunk of the streams [steps,
    channels]. Behind the end of a stream they mean nothing."""
    batch, longest = len(streams), max(map(len, streams))
    state = {
        name: np.repeat(value[None], batch, axis=0)
        for name, value in contract.initial_state().items()
    }
    names = [*outputs, *(tensor.next_name for tensor in contract.state)]
    for first in range(0, longest, CHUNK):
        parts = [stream[first : first + CHUNK] for stream in streams]
        lengths = np.array([len(part) for part in parts], np.int64)
        x = np.zeros((batch, lengths.max(), contract.input.width), np.float32)
        for row, part in zip(x, parts, strict=True):
            row[: len(part)] = part
        found = session.run(names, {INPUT: x, LENGTHS: lengths, **state})
        after = found[len(outputs) :]
        state = dict(zip((tensor.name for tensor in contract.state), after, strict=True))
        yield first, found[: len(outputs)]
