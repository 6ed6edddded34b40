"""What a stream's client is told of a chunk."""

from __future__ import annotations

import msgspec
import numpy as np

from larnn_service.contract import Contract
from larnn_service.interfaces import Floats
from larnn_service.wire.answer_arrays import emitted
from larnn_service.wire.answer_options import AnswerOptions
from larnn_service.wire.predictions import answer, fill_in
from larnn_service.wire.stream_schemas import PredictionMessage


def encode_prediction(
    contract: Contract,
    outputs: Floats,
    position: int,
    durable: int,
    options: AnswerOptions,
    attention: Floats | None = None,
) -> bytes:
    """The answer to a chunk as JSON.

    `outputs` [steps, columns] are those of the chunk's steps, the last of which ends at `position`;
    `attention` [layers, heads, k] is that of the last step.
    """
    told = PredictionMessage(position=position, durable=durable)
    fill_in(told, contract, outputs[-1], options)
    if options.emit != "last":
        told.predictions = [
            answer(contract, step, options) for step in emitted(outputs, position, options.emit)
        ]
    if attention is not None:
        told.attention = _rounded(attention)
    return msgspec.json.encode(told)


def _rounded(attention: Floats) -> list[list[list[float]]]:
    """Five digits are as many as anyone can see: a weight is a number from 0 to 1."""
    rounded: list[list[list[float]]] = attention.astype(np.float64).round(5).tolist()
    return rounded
