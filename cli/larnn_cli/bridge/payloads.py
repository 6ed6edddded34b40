"""What a message holds: JSON, CSV or numbers as they lie in memory, as steps of a stream."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_cli.bridge.description import Payload

Floats = NDArray[np.float32]
Steps = NDArray[Any]
"""float32; or int16 as they came, which the client scales for a model that has a scale."""
LARGEST = 2**63 - 1
"""Number of a message."""


class BadPayload(ValueError):
    """A message that holds no steps; the text says why."""


@dataclass(frozen=True)
class Read:
    """The steps [steps, channels] of one message, and its number where it has one."""

    steps: Steps
    sequence: int | None = None


def read(data: bytes, payload: Payload, width: int) -> Read:
    """The steps of a message, for a model that takes `width` numbers a step. Raises BadPayload."""
    try:
        match payload.format:
            case "json":
                return _json(data, payload)
            case "csv":
                return Read(_csv(data.decode(), payload.channels))
        return Read(_binary(data, payload, width))
    except BadPayload:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError, csv.Error) as error:
        raise BadPayload(f"the payload is no {payload.format} of numbers: {error}") from None


def _json(data: bytes, payload: Payload) -> Read:
    told: Any = json.loads(data)
    found = told
    for name in filter(None, payload.steps.split(".")):
        found = _field(found, name)
    if payload.channels:
        found = [found] if isinstance(found, Mapping) else found
        found = [[_field(step, name) for name in payload.channels] for step in found]
    if not payload.sequence:
        return Read(_floats(found))
    sequence = _field(told, payload.sequence)
    if not isinstance(sequence, int) or isinstance(sequence, bool):
        raise BadPayload(f"{payload.sequence} is {sequence!r}; a whole number is asked for")
    if abs(sequence) > LARGEST:
        raise BadPayload(f"{payload.sequence} is beyond ±{LARGEST}, the largest that is kept")
    return Read(_floats(found), sequence)


def _field(value: Any, name: str) -> Any:
    if not isinstance(value, Mapping) or name not in value:
        raise BadPayload(f"the payload has no field {name} where the description says so")
    return value[name]


def _csv(text: str, channels: tuple[str, ...]) -> Floats:
    lines = [line for line in csv.reader(io.StringIO(text), skipinitialspace=True) if line]
    if channels and lines:
        header, *lines = lines
        header = [name.strip() for name in header]
        missing = [name for name in channels if name not in header]
        if missing:
            raise BadPayload(f"the first line has no column {', '.join(missing)}")
        picked = [header.index(name) for name in channels]
        if any(len(line) != len(header) for line in lines):
            raise BadPayload(f"a line has not the {len(header)} cells of the first")
        lines = [[line[index] for index in picked] for line in lines]
    return _floats([[float(cell) for cell in line] for line in lines])


def _binary(data: bytes, payload: Payload, width: int) -> Steps:
    dtype = np.dtype(payload.dtype).newbyteorder("<" if payload.byte_order == "little" else ">")
    size = len(data) - payload.skip
    if size < 0 or size % (dtype.itemsize * width):
        raise BadPayload(
            f"{len(data)} bytes are no steps of {width} numbers of {payload.dtype} behind "
            f"{payload.skip} bytes"
        )
    steps = np.frombuffer(data, dtype, offset=payload.skip).reshape(-1, width)
    return steps.astype(np.int16) if payload.dtype == "int16" else _floats(steps)


def _floats(numbers: Any) -> Floats:
    found = np.asarray(numbers)
    if found.size and found.dtype.kind not in "iuf":
        raise BadPayload("the payload holds what is no number")
    with np.errstate(over="ignore"):
        steps = found.astype(np.float32)
    return steps[None] if steps.ndim == 1 and steps.size else steps
