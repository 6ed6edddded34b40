"""Answers as arrays, for clients that read bytes: nothing is computed or named."""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_service.contract import Contract
from larnn_service.interfaces import Floats
from larnn_service.outputs import spans
from larnn_service.wire.answer_options import AnswerOptions
from larnn_service.wire.http import NPY, Response
from larnn_service.wire.stream_schemas import Emit

HEAD = struct.Struct("<3Q")
"""What an answer begins with: position, durable, and how many steps it tells of."""


def encode_arrays(
    contract: Contract,
    outputs: Floats,
    position: int,
    durable: int,
    options: AnswerOptions,
    attention: Floats | None = None,
) -> bytes:
    """The answer to a chunk as a frame of larnn.f32.v2: `HEAD`, then each output [steps, …] that
    is told, one behind the other.

    `outputs` [steps, columns] are those of the chunk's steps, the last of which ends at `position`.
    Attention has no place in it, and is never asked for.
    """
    assert attention is None
    told = told_steps(outputs, position, options.emit)
    arrays = told_arrays(contract, told, options)
    return b"".join([HEAD.pack(position, durable, len(told)), *map(little_endian, arrays)])


def npy_response(
    contract: Contract, columns: Floats, options: AnswerOptions, about: Mapping[str, int | str]
) -> Response:
    """The told outputs of steps [steps, columns] as npy, [steps, …] of each, one file behind the
    other; `about` stands in headers."""
    body = io.BytesIO()
    for array in told_arrays(contract, columns, options):
        np.save(body, array.astype(array.dtype.newbyteorder("<"), copy=False))
    headers = ((f"larnn-{name}".encode(), str(told).encode()) for name, told in about.items())
    return Response(body.getvalue(), headers=((b"content-type", NPY.encode()), *headers))


def told_steps(outputs: Floats, position: int, emit: Emit) -> Floats:
    """The outputs of the steps that are asked for, and behind them those of the last step."""
    if emit == "last":
        return outputs[-1:]
    steps = emitted(outputs, position, emit)
    if isinstance(emit, int) and position % emit:
        return np.concatenate([steps, outputs[-1:]])
    return steps


def emitted(outputs: Floats, position: int, emit: Emit) -> Floats:
    """The outputs of the steps whose position is a multiple of what was asked for."""
    every = emit if isinstance(emit, int) else 1
    first = position - len(outputs) + 1
    return outputs[-first % every :: every]


def told_arrays(
    contract: Contract, columns: Floats, options: AnswerOptions
) -> Iterator[NDArray[Any]]:
    """The answer and the outputs asked for, in the model's order: [steps, …] of each."""
    for output, own in spans(contract.outputs):
        if not own.start or output.name in options.outputs:
            yield output.from_columns(columns[:, own])


def little_endian(array: NDArray[Any]) -> bytes:
    """The bytes of an array as they go over the wire, in C order."""
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
