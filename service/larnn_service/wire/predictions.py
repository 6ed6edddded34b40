"""From the outputs of a step to what a client reads, by the task of each output."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp
from typing import Any

from larnn_service.contract import Contract
from larnn_service.interfaces import Floats
from larnn_service.outputs import UNSURE, Output, spans
from larnn_service.wire.answer_options import HAVE_LOGITS, AnswerOptions
from larnn_service.wire.stream_schemas import Answer, OutputAnswer


def answer(contract: Contract, columns: Floats, options: AnswerOptions) -> Answer:
    """What a client reads of one step [columns]."""
    told = Answer()
    fill_in(told, contract, columns, options)
    return told


def fill_in(told: Answer, contract: Contract, columns: Floats, options: AnswerOptions) -> None:
    """Say of one step [columns] what `answer` says."""
    first = contract.outputs[0]
    _read(told, first, columns[: first.columns], options.logits, options.probabilities)
    if options.unsure and contract.doubt is not None:
        column, most = contract.doubt
        if columns[column] > most:
            told.label = UNSURE
    if not options.outputs:
        return
    told.outputs = {}
    for output, own in spans(contract.outputs):
        if output.name in options.outputs:
            further = told.outputs[output.name] = OutputAnswer()
            logits = options.logits and output.task in HAVE_LOGITS
            _read(further, output, columns[own], logits, options.probabilities)


def _read(
    told: OutputAnswer, output: Output, columns: Floats, logits: bool, probabilities: bool
) -> None:
    """Fill in what is told of one output."""
    numbers: Any = output.from_columns(columns).tolist()
    if output.task == "classes" and probabilities:
        told.label, told.probabilities = classified(numbers, output.labels)
    elif output.task == "classes":
        told.label = output.labels[numbers.index(max(numbers))]
    elif output.task == "tags" and probabilities:
        told.probabilities = dict(zip(output.labels, map(_sigmoid, numbers), strict=True))
    elif output.task == "probability":
        told.probabilities = dict(zip(output.labels, numbers, strict=True))
    elif output.task == "values":
        told.values = dict(zip(output.names, numbers, strict=True))
    elif output.task == "raw":
        told.output = numbers
    if logits:
        told.logits = numbers


def classified(row: Sequence[float], labels: Sequence[str]) -> tuple[str, dict[str, float]]:
    """The label with the largest of the logits [classes], and each label's probability.

    In plain Python: for a handful of classes that is faster than numpy.
    """
    largest = max(row)
    exponentials = [exp(logit - largest) for logit in row]
    total = sum(exponentials)
    probabilities = [value / total for value in exponentials]
    return labels[row.index(largest)], dict(zip(labels, probabilities, strict=True))


def _sigmoid(logit: float) -> float:
    """Of a logit of any size, without an overflow."""
    if logit >= 0:
        return 1 / (1 + exp(-logit))
    return exp(logit) / (1 + exp(logit))
