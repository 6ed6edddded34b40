"""What a stream's client is told of a chunk: options from the request, and the answer's text."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from larnn_service.contract import Contract
from larnn_service.errors import BadMessage
from larnn_service.interfaces import Floats
from larnn_service.wire.predictions import answer, check_asked, fill_in
from larnn_service.wire.stream_schemas import Emit, PredictionMessage, StepsBody

_NOTHING = (None, None, None, None)
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True)
class AnswerOptions:
    """What a client wants to read of each chunk."""

    logits: bool = False
    emit: Emit = "last"
    explain: bool = False
    outputs: tuple[str, ...] = ()
    """The names of further outputs."""

    def but(self, message: StepsBody) -> AnswerOptions:
        """These options, changed by what one message says."""
        said = message.logits, message.emit, message.explain, message.outputs
        if said == _NOTHING:
            return self
        return AnswerOptions(
            self.logits if message.logits is None else message.logits,
            self.emit if message.emit is None else message.emit,
            self.explain if message.explain is None else message.explain,
            self.outputs if message.outputs is None else tuple(message.outputs),
        )

    def check(self, contract: Contract, who: str) -> None:
        """Raises BadMessage where the model `who` cannot answer so."""
        if self.logits or self.outputs:
            check_asked(contract, who, self.logits, self.outputs)


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
    outputs = tuple(query["outputs"].split(",")) if query.get("outputs") else ()
    return AnswerOptions(logits, emit, explain, outputs)


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
    fill_in(told, contract, outputs[-1], options.logits, options.outputs)
    if options.emit != "last":
        told.predictions = [
            answer(contract, step, options.logits, options.outputs)
            for step in _emitted(outputs, position, options.emit)
        ]
    if attention is not None:
        told.attention = _rounded(attention)
    return msgspec.json.encode(told)


def _emitted(outputs: Floats, position: int, emit: Emit) -> Floats:
    """The outputs of the steps whose position is a multiple of what was asked for."""
    every = emit if isinstance(emit, int) else 1
    first = position - len(outputs) + 1
    return outputs[-first % every :: every]


def _rounded(attention: Floats) -> list[list[list[float]]]:
    """Five digits are as many as anyone can see: a weight is a number from 0 to 1."""
    rounded: list[list[list[float]]] = attention.astype(np.float64).round(5).tolist()
    return rounded
