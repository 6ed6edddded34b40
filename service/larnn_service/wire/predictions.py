"""From the outputs of a step to what a client reads, by the task of each output."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import exp
from typing import Any

from larnn_service.contract import Contract
from larnn_service.errors import BadMessage, quoted
from larnn_service.interfaces import Floats
from larnn_service.outputs import Output
from larnn_service.wire.stream_schemas import Answer, OutputAnswer

HAVE_LOGITS = ("classes", "tags")


def check_asked(contract: Contract, who: str, logits: bool, outputs: Collection[str]) -> None:
    """Raises BadMessage where a client asks for what the model `who` does not give."""
    first, *others = contract.outputs
    if logits and first.task not in HAVE_LOGITS:
        raise BadMessage(f"{who} has no logits: it answers with {first.task}, as they come")
    names = [output.name for output in others]
    if unknown := [name for name in outputs if name not in names]:
        there_are = f"it gives {', '.join(names)}" if names else "it has its answer alone"
        raise BadMessage(f"{who} has no further output {quoted(unknown[0])}; {there_are}")


def answer(
    contract: Contract, columns: Floats, logits: bool, outputs: Collection[str] = ()
) -> Answer:
    """What a client reads of one step [columns]; `outputs`: the names of further ones."""
    told = Answer()
    fill_in(told, contract, columns, logits, outputs)
    return told


def fill_in(
    told: Answer, contract: Contract, columns: Floats, logits: bool, outputs: Collection[str]
) -> None:
    """Say of one step [columns] what `answer` says."""
    first = contract.outputs[0]
    _read(told, first, columns[: first.columns], logits)
    if not outputs:
        return
    told.outputs, start = {}, 0
    for output in contract.outputs:
        end = start + output.columns
        if output.name in outputs:
            further = told.outputs[output.name] = OutputAnswer()
            _read(further, output, columns[start:end], logits and output.task in HAVE_LOGITS)
        start = end


def _read(told: OutputAnswer, output: Output, columns: Floats, logits: bool) -> None:
    """Fill in what is told of one output."""
    numbers: Any = output.from_columns(columns).tolist()
    if output.task == "classes":
        told.label, told.probabilities = classified(numbers, output.labels)
    elif output.task == "tags":
        told.probabilities = dict(zip(output.labels, map(_sigmoid, numbers), strict=True))
    elif output.task == "probability":
        told.probabilities = dict(zip(output.labels, numbers, strict=True))
    elif output.task == "values":
        told.values = dict(zip(output.names, numbers, strict=True))
    else:
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
