"""What passes through a bridge: messages, answers, and how far a key has come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """A message of one partition: a topic's of Kafka, or the journal of a bridge to MQTT."""

    offset: int
    """Its number in the partition."""
    key: bytes
    """Whose stream it belongs to."""
    payload: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """How far a key has come: its records before `offset` are the `position` steps of `stream`."""

    stream: str | None = None
    """None: no stream is opened for it yet."""
    position: int = 0
    offset: int = 0
    sequence: int | None = None
    """The number of the last message, where messages have one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is told of one record, and the place behind it."""

    record: Record
    place: Place
    told: Mapping[str, Any]
    steps: int
    """Of the record, in the stream."""

    def body(self) -> bytes:
        """As JSON: what `places_of` reads, and the model's answer or an error."""
        place = self.place
        named = {
            "key": self.record.key.decode(errors="backslashreplace"),
            "offset": self.record.offset,
            "stream": place.stream,
            "position": place.position,
            "steps": self.steps,
        }
        if place.sequence is not None:
            named["sequence"] = place.sequence
        return json.dumps(named | dict(self.told), separators=(",", ":")).encode()


def places_of(body: bytes) -> tuple[Place, Place]:
    """The places before and behind the record of an answer, the former without a sequence. Raises
    ValueError, KeyError, TypeError."""
    told = json.loads(body)
    stream, offset, position = told["stream"], told["offset"], told["position"]
    before = Place(stream, position - told["steps"], offset)
    return before, Place(stream, position, offset + 1, told.get("sequence"))
