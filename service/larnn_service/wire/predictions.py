"""From logits to what a client reads: label and probabilities."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import exp

from msgspec import UNSET

from larnn_service.interfaces import Floats
from larnn_service.wire.stream_schemas import Answer


def softmax(logits: Sequence[float]) -> list[float]:
    """Probabilities of one answer. Plain Python: for a handful of classes faster than numpy.

    The native library takes the same steps, to the same bits (`sum` would round otherwise).
    """
    largest, total = max(logits), 0.0
    exponentials = [exp(logit - largest) for logit in logits]
    for value in exponentials:
        total += value
    return [value / total for value in exponentials]


def answers(logits: Iterable[Floats], labels: Sequence[str], with_logits: bool) -> list[Answer]:
    """One answer for each row of logits [classes]."""
    return [answer(row.tolist(), labels, with_logits) for row in logits]


def answer(row: list[float], labels: Sequence[str], with_logits: bool) -> Answer:
    """The answer that one row of logits gives."""
    probabilities = dict(zip(labels, softmax(row), strict=True))
    label = labels[row.index(max(row))]
    return Answer(label, probabilities, row if with_logits else UNSET)
