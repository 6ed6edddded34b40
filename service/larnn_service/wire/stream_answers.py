"""What a stream's client is told of a chunk: options from the request, and the answer's text."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from msgspec import UNSET

from larnn_service.errors import BadMessage
from larnn_service.interfaces import Floats
from larnn_service.wire.predictions import answers, classified
from larnn_service.wire.stream_schemas import Emit, PredictionMessage, StepsBody

_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class AnswerOptions:
    """What a client wants to read of each chunk."""

    logits: bool = False
    emit: Emit = "last"
    explain: bool = False

    def but(self, message: StepsBody) -> AnswerOptions:
        """These options, changed by what one message says."""
        if message.logits is None and message.emit is None and message.explain is None:
            return self
        return AnswerOptions(
            self.logits if message.logits is None else message.logits,
            self.emit if message.emit is None else message.emit,
            self.explain if message.explain is None else message.explain,
        )


def options_of(query: dict[str, str]) -> AnswerOptions:
    """What an address says of all answers. Raises BadMessage."""
    logits, explain = (_TRUTH.get(query.get(name, "false")) for name in ("logits", "explain"))
    try:
        emit = msgspec.convert(query.get("emit", "last"), Emit, strict=False)
    except msgspec.ValidationError:
        emit = None
    if emit is None or logits is None or explain is None:
        raise BadMessage(
            "in the address: emit is last, every or a number of steps, logits and explain are "
            "true or false"
        )
    return AnswerOptions(logits, emit, explain)


def encode_prediction(
    labels: tuple[str, ...],
    logits: Floats,
    position: int,
    durable: int,
    options: AnswerOptions,
    attention: Floats | None = None,
) -> bytes:
    """The answer to a chunk as JSON.

    `logits` [steps, classes] are those of the chunk's steps, the last of which ends at `position`;
    `attention` [layers, heads, k] is that of the last step.
    """
    last = logits[-1].tolist()
    label, probabilities = classified(last, labels)
    told = PredictionMessage(
        label,
        probabilities,
        last if options.logits else UNSET,
        position=position,
        durable=durable,
    )
    if options.emit != "last":
        emitted = _emitted(logits, position, options.emit)
        told.predictions = answers(emitted, labels, options.logits)
    if attention is not None:
        told.attention = _rounded(attention)
    return msgspec.json.encode(told)


def _emitted(logits: Floats, position: int, emit: Emit) -> Floats:
    """The logits of the steps whose position is a multiple of what was asked for."""
    every = emit if isinstance(emit, int) else 1
    first = position - len(logits) + 1
    return logits[-first % every :: every]


def _rounded(attention: Floats) -> list[list[list[float]]]:
    """Five digits are as many as anyone can see: a weight is a number from 0 to 1."""
    rounded: list[list[list[float]]] = attention.astype(np.float64).round(5).tolist()
    return rounded
