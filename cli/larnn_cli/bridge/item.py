"""A record on its way through a stream: its steps, its predictions, and why it counts no step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from larnn_cli import answers
from larnn_cli.bridge.description import Bridge
from larnn_cli.bridge.payloads import BadPayload, Read, Steps, read
from larnn_cli.bridge.records import Place, Record
from larnn_client import Prediction

MOST_STEPS = 16_384
"""Of one record: a stream's client holds no more that are not durable."""


@dataclass(eq=False)
class Item:
    """A record on its way."""

    record: Record
    answered: bool = False
    """Its answer is on its way to the broker, or there."""
    published: bool = False
    """The broker has its answer."""
    error: dict[str, str] | None = None
    """Why it counts no step."""
    place: Place | None = None
    """Behind it, once it is sent on this connection."""
    awaited: int = 1
    """Predictions that it gives: several, where its frames go in several chunks."""
    told: list[dict[str, Any]] = field(default_factory=list)
    """Of each prediction that has come on this connection."""

    def hear(self, prediction: Prediction, bridge: Bridge) -> bool:
        """The next prediction; whether it was the last one."""
        logits = {"logits": prediction.logits} if bridge.logits else {}
        self.told.append({"position": prediction.position} | answers.told(prediction) | logits)
        return len(self.told) == self.awaited

    @property
    def answer(self) -> Mapping[str, Any]:
        """What is told of it: an error, or the last prediction, and all where there are several."""
        if self.error is not None:
            return self.error
        last = self.told[-1]
        return last | ({"predictions": self.told} if self.awaited > 1 else {})

    def begin_again(self) -> None:
        """Another connection; what came before it may have been refused since."""
        self.told = []
        if self.error is not None and self.error["code"] == "repeated" and not self.answered:
            self.error = None


def repeated(sequence: int | None, last: int | None) -> bool:
    """Whether a message of that number has come before."""
    return sequence is not None and last is not None and sequence <= last


def told_of(error: Exception) -> dict[str, str]:
    """An error as an answer tells it."""
    return {
        "code": getattr(error, "code", "") or "bad_payload",
        "error": getattr(error, "detail", "") or str(error),
    }


def fitting(record: Record, bridge: Bridge, width: int) -> Read:
    """The record's steps [steps, width]. Raises BadPayload."""
    found = read(record.payload, bridge.payload, width)
    if found.steps.ndim != 2 or found.steps.shape[1] != width:
        shape = list(found.steps.shape)
        raise BadPayload(f"the steps are {shape}; [steps, {width}] are asked for")
    if not len(found.steps):
        raise BadPayload("a message holds at least one step")
    if len(found.steps) > MOST_STEPS:
        raise TooManySteps(found.steps)
    return found


class TooManySteps(BadPayload):
    """More than go at once; the text says what to do."""

    code = "too_large"

    def __init__(self, steps: Steps) -> None:
        super().__init__(
            f"a message holds at most {MOST_STEPS:,} steps, not {len(steps):,}: send several"
        )
