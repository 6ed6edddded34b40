"""A request's parameters: what is not offered, and which sequence it is a part of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from larnn_service.errors import BadMessage
from larnn_service.wire.measured import Said

Value = bool | int | float | str
Parameters = Mapping[str, Value]
_NOT_OFFERED = {
    "classification": "POST /classify gives labels",
    "shared_memory_region": "send the tensor itself",
}
_LONGEST_NAME = 128
_LARGEST = 2**63 - 1


@dataclass(frozen=True)
class SequencePart:
    """What the sequence extension says of a request."""

    name: int | str
    starts: bool
    ends: bool
    offset: int | None
    acked: int | None

    @property
    def told(self) -> dict[str, Value]:
        """As an answer repeats it."""
        return {
            "sequence_id": self.name,
            "sequence_start": self.starts,
            "sequence_end": self.ends,
        }


def check_offered(tensor: str, parameters: Parameters) -> None:
    """Raises BadMessage where a tensor is asked for in a way that this service has not."""
    for name, instead in _NOT_OFFERED.items():
        if name in parameters:
            raise BadMessage(f"{tensor}: {name} is not offered; {instead}")


def sequence_part(parameters: Parameters) -> SequencePart | None:
    """None without a sequence_id; 0 and the empty text are none. Raises BadMessage."""
    name = parameters.get("sequence_id", 0)
    if isinstance(name, bool | float):
        raise BadMessage("parameter sequence_id: send an integer or a text")
    if isinstance(name, str) and len(name) > _LONGEST_NAME:
        raise BadMessage(f"parameter sequence_id: a text of at most {_LONGEST_NAME} characters")
    starts, ends = _flag(parameters, "sequence_start"), _flag(parameters, "sequence_end")
    offset, acked = _count(parameters, "offset"), _count(parameters, "acked")
    if name:
        return SequencePart(name, starts, ends, offset, acked)
    if starts or ends or offset is not None:
        raise BadMessage(
            "sequence_start, sequence_end and offset need a sequence_id, not 0 or empty"
        )
    return None


def said_in(parameters: Parameters) -> Said:
    """Of the client's numbers: `units`, `axes`, `sample_rate_hz`. Raises BadMessage."""
    units, axes = parameters.get("units", ""), parameters.get("axes", "")
    hertz = parameters.get("sample_rate_hz")
    if not (isinstance(units, str) and isinstance(axes, str)):
        raise BadMessage("parameters units and axes: send a text")
    if isinstance(hertz, bool | str):
        raise BadMessage("parameter sample_rate_hz: send a number")
    return Said(units, axes, hertz)


def _flag(parameters: Parameters, name: str) -> bool:
    value = parameters.get(name, False)
    if not isinstance(value, bool):
        raise BadMessage(f"parameter {name}: send true or false")
    return value


def _count(parameters: Parameters, name: str) -> int | None:
    value = parameters.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST:
        raise BadMessage(f"parameter {name}: send a whole number, not negative")
    return value
