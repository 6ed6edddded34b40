"""What a model takes at each step, as the service describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from larnn_client.errors import BadInput


@dataclass(frozen=True, slots=True)
class Range:
    """Channels of one unit, called prefix0, prefix1, …"""

    prefix: str
    count: int
    unit: str


@dataclass(frozen=True, slots=True)
class Frame:
    """The next samples of one signal, such as sound: a step is that many of them."""

    samples: int
    unit: str
    sample_rate_hz: float | None = None
    """Of the samples, where it is known."""
    int16_scale: float | None = None
    """What the service multiplies int16 samples by; None where it takes none."""


@dataclass(frozen=True, slots=True)
class Input:
    """What a step is: a row of `width` numbers, which are channels by name, or a range of channels,
    or a frame of samples."""

    channels: Mapping[str, str]
    """Name to unit of each of a step's numbers, in their order. Those of a range or a frame are
    counted: prefix0, prefix1, …, and sample0, sample1, …"""
    range: Range | None = None
    frame: Frame | None = None

    @property
    def width(self) -> int:
        return len(self.channels)

    def __str__(self) -> str:
        """In a few words, with units."""
        if self.range is not None:
            last = self.range.count - 1
            return f"{self.range.prefix}0 … {self.range.prefix}{last} [{self.range.unit}]"
        if self.frame is not None:
            hertz = self.frame.sample_rate_hz
            rate = "" if hertz is None else f" at {hertz:g} Hz"
            return f"{self.frame.samples} samples{rate} [{self.frame.unit}]"
        return ", ".join(f"{name} [{unit}]" for name, unit in self.channels.items())


@dataclass(frozen=True, slots=True)
class Context:
    """A tensor that is given once, when a stream opens or with a request."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    required: bool
    """Whether there is no default."""
    description: str = ""


def read_context(described: Mapping[str, Any]) -> tuple[Context, ...]:
    """What a model takes; a service of before there was context tells none."""
    return tuple(
        Context(
            name=each["name"],
            dtype=each["dtype"],
            shape=tuple(each["shape"]),
            required=each.get("default") is None,
            description=each["description"],
        )
        for each in described.get("context", ())
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """What a caller's numbers are; what it does not say is as the model takes it.

    The service converts units and axes, which are texts such as "m/s²,deg/s" and "acc=-x-y-z", and
    refuses another rate. Their grammar is in docs/protocol.md.
    """

    units: str = ""
    axes: str = ""
    sample_rate_hz: float | None = None

    @property
    def fields(self) -> dict[str, Any]:
        """What is said, as bodies and addresses have it."""
        said = {"units": self.units, "axes": self.axes, "sample_rate_hz": self.sample_rate_hz}
        return {name: value for name, value in said.items() if value not in ("", None)}


AS_THE_MODEL = Measured()


def context_json(context: Mapping[str, ArrayLike]) -> dict[str, Any]:
    """Numbers and arrays as JSON has them, float32 in as few digits as tell it. Raises BadInput."""
    return {name: _plain(name, value) for name, value in context.items()}


def _plain(name: str, value: ArrayLike) -> Any:
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise BadInput(f"context {name} is no array of numbers: {error}", "bad_shape") from None
    if array.dtype.kind not in "biuf":
        raise BadInput(f"context {name} is no array of numbers, but of {array.dtype}", "bad_value")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise BadInput(f"context {name}: a number is not finite", "bad_value")
    if array.dtype in (np.float16, np.float32):
        array = array.astype(str).astype(np.float64)
    return array.tolist()


def read_input(described: Mapping[str, Any], channels: Mapping[str, str]) -> Input:
    """Of a stream's or a model's description; a service of before there were ranges and frames
    tells its `channels` alone."""
    described = described.get("input", {})
    if (found := described.get("range")) is not None:
        span = Range(**found)
        return Input(_counted(span.prefix, span.count, span.unit), range=span)
    if (found := described.get("frame")) is not None:
        frame = Frame(**found)
        return Input(_counted("sample", frame.samples, frame.unit), frame=frame)
    named = described.get("channels")
    return Input(channels if named is None else {each["name"]: each["unit"] for each in named})


def _counted(prefix: str, count: int, unit: str) -> dict[str, str]:
    return {f"{prefix}{index}": unit for index in range(count)}
