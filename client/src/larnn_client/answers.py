"""What a model says, typed by the task of its output, read from JSON or from a binary frame."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Output:
    """An output of a model, the first of which is its answer."""

    name: str
    task: str
    """`classes`, `tags`, `probability`, `values` or `raw`: what is read of it is `Classes`, `Tags`,
    `Probability`, `Values` or `Raw`."""
    dtype: str
    labels: tuple[str, ...] = ()
    """What its numbers are called; none of a raw output."""
    units: tuple[str, ...] = ()
    """Of values."""
    shape: tuple[int, ...] = ()
    """Of one step of a raw output; none of a number."""
    unsure_above: float | None = None
    """Of a single value: where it is larger, the answer is not to be relied on."""

    @property
    def step_shape(self) -> tuple[int, ...]:
        """Of one step in a frame."""
        return self.shape if self.task == "raw" else (len(self.labels),)


@dataclass(frozen=True, slots=True)
class Classes:
    """One of several labels holds."""

    label: str
    """The most probable one."""
    probabilities: Mapping[str, float]
    """Of each label; they add up to 1."""
    logits: tuple[float, ...] | None = None
    """[labels], where asked."""


@dataclass(frozen=True, slots=True)
class Tags:
    """Labels of which each holds or not."""

    probabilities: Mapping[str, float]
    """Of each label by itself."""
    logits: tuple[float, ...] | None = None
    """[labels], where asked."""


@dataclass(frozen=True, slots=True)
class Probability:
    """Probabilities as the network gives them."""

    probabilities: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Values:
    """Numbers with names and units."""

    values: Mapping[str, float]
    units: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """An array."""

    array: Array
    """Of the output's shape and dtype."""


Answer = Classes | Tags | Probability | Values | Raw


@dataclass(frozen=True, slots=True)
class Step:
    """What the model says of a step, or of a whole sequence.

    `answer` is of the type that its task says. Who knows the model may read `label`,
    `probabilities`, `logits`, `values` and `array` from here; each raises AttributeError where the
    answer has no such thing.
    """

    answer: Answer
    outputs: Mapping[str, Answer] = field(default_factory=dict)
    """Further outputs by name, where asked."""

    @property
    def label(self) -> str:
        """Of classes: the most probable one."""
        if isinstance(self.answer, Classes):
            return self.answer.label
        raise _has_no("label", self.answer)

    @property
    def probabilities(self) -> Mapping[str, float]:
        """Of classes, tags and probabilities, by label."""
        if isinstance(self.answer, Classes | Tags | Probability):
            return self.answer.probabilities
        raise _has_no("probabilities", self.answer)

    @property
    def logits(self) -> tuple[float, ...] | None:
        """Of classes and tags [labels], where asked."""
        if isinstance(self.answer, Classes | Tags):
            return self.answer.logits
        raise _has_no("logits", self.answer)

    @property
    def values(self) -> Mapping[str, float]:
        """Of values, by name."""
        if isinstance(self.answer, Values):
            return self.answer.values
        raise _has_no("values", self.answer)

    @property
    def array(self) -> Array:
        """Of a raw output."""
        if isinstance(self.answer, Raw):
            return self.answer.array
        raise _has_no("array", self.answer)


def _has_no(what: str, answer: Answer) -> AttributeError:
    return AttributeError(f"the answer is {type(answer).__name__}, which has no {what}")


@dataclass(frozen=True, slots=True)
class Prediction(Step):
    """The answer to a chunk, of its last step."""

    position: int = 0
    """Steps of the stream up to the end of the chunk."""
    durable: int = 0
    """Steps that the service's store holds."""
    steps: tuple[Step, ...] | None = None
    """One for each step of the chunk that `emit` asks for; none with "last"."""


@dataclass(frozen=True, slots=True)
class Classification:
    """The answer to `classify`."""

    model: str
    version: int
    predictions: tuple[Step, ...]
    """One for each sequence, in order."""


def of_json(output: Output, item: Mapping[str, Any]) -> Answer:
    """What JSON tells of one output. Raises KeyError, TypeError, ValueError."""
    logits = item.get("logits")
    given = None if logits is None else tuple(-math.inf if x is None else x for x in logits)
    match output.task:
        case "classes":
            return Classes(item["label"], item.get("probabilities", {}), given)
        case "tags":
            return Tags(item["probabilities"], given)
        case "probability":
            return Probability(item["probabilities"])
        case "values":
            return Values(item["values"], dict(zip(output.labels, output.units, strict=True)))
        case "raw":
            return Raw(np.array(item["output"], output.dtype))
    raise ValueError(f"the task {output.task!r} is unknown here")


def of_array(output: Output, array: Array, *, logits: bool) -> Answer:
    """What the numbers of one step say. Raises ValueError."""
    if output.task == "raw":
        return Raw(np.array(array, output.dtype))
    numbers: list[float] = array.tolist()
    named = dict(zip(output.labels, numbers, strict=True))
    given = tuple(numbers) if logits else None
    match output.task:
        case "classes":
            label = output.labels[numbers.index(max(numbers))]
            return Classes(label, dict(zip(output.labels, _softmax(numbers), strict=True)), given)
        case "tags":
            return Tags({label: _sigmoid(logit) for label, logit in named.items()}, given)
        case "probability":
            return Probability(named)
        case "values":
            return Values(named, dict(zip(output.labels, output.units, strict=True)))
    raise ValueError(f"the task {output.task!r} is unknown here")


def _softmax(logits: Sequence[float]) -> list[float]:
    largest = max(logits)
    exponentials = [math.exp(logit - largest) for logit in logits]
    total = sum(exponentials)
    return [value / total for value in exponentials]


def _sigmoid(logit: float) -> float:
    """Of a logit of any size, without an overflow."""
    if logit >= 0:
        return 1 / (1 + math.exp(-logit))
    return math.exp(logit) / (1 + math.exp(logit))
