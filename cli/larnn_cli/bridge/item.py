"""A record on its way through a stream, and what is said of one that counts no step."""

from __future__ import annotations

from dataclasses import dataclass

from larnn_cli.bridge.payloads import BadPayload, Floats
from larnn_cli.bridge.records import Place, Record


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
    """Behind it, once it is answered on this connection."""


def repeated(sequence: int | None, last: int | None) -> bool:
    """Whether a message of that number has come before."""
    return sequence is not None and last is not None and sequence <= last


def told_of(error: Exception) -> dict[str, str]:
    """An error as an answer tells it."""
    return {
        "code": getattr(error, "code", "") or "bad_payload",
        "error": getattr(error, "detail", "") or str(error),
    }


def fitting(steps: Floats, width: int) -> Floats:
    """Steps of this width. Raises BadPayload."""
    if steps.ndim != 2 or steps.shape[1] != width:
        raise BadPayload(f"the steps are {list(steps.shape)}; [steps, {width}] are asked for")
    return steps
