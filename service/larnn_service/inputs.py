"""What a network takes at each step: a row of numbers, and what they are.

However they are described, the service carries a step as one row of `width` numbers.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Self

from pydantic import Field, model_validator

from larnn_service.outputs import Channel, Strict

MOST = 2**16
"""Numbers that a step may have."""
LARGEST_SCALE = 1e30
"""With it every int16 is a finite float32."""
Count = Annotated[int, Field(ge=1, le=MOST)]


class Range(Strict):
    """Channels of one unit, which need no names of their own: electrodes, bands, key points."""

    prefix: str = Field(min_length=1, max_length=100)
    """The channels are called prefix0, prefix1, … where a name is needed."""
    count: Count
    unit: str


class Frame(Strict):
    """The next samples of one signal, such as sound: a step is that many of them."""

    samples: Count
    unit: str
    sample_rate_hz: float | None = Field(None, gt=0, exclude_if=lambda value: value is None)
    """Of the samples, not of the steps."""
    int16_scale: float | None = Field(
        None, gt=0, le=LARGEST_SCALE, exclude_if=lambda value: value is None
    )
    """What a sample that comes as int16 is multiplied by; None where these are not accepted."""


class Input(Strict):
    """One of three: channels by name, a range of channels, or a frame of samples."""

    channels: tuple[Channel, ...] = Field(
        (), max_length=MOST, exclude_if=lambda channels: not channels
    )
    range: Range | None = Field(None, exclude_if=lambda value: value is None)
    frame: Frame | None = Field(None, exclude_if=lambda value: value is None)

    @model_validator(mode="after")
    def _is_one_of_three(self) -> Self:
        given = [name for name in ("channels", "range", "frame") if getattr(self, name)]
        if len(given) != 1:
            raise ValueError(f"one of channels, range and frame, got {', '.join(given) or 'none'}")
        names = [channel.name for channel in self.channels]
        if len(set(names)) != len(names):
            raise ValueError(f"channels: names must be unique, got {names}")
        return self

    @cached_property
    def width(self) -> int:
        """How many numbers a step has."""
        if self.range is not None:
            return self.range.count
        return len(self.channels) if self.frame is None else self.frame.samples

    @property
    def int16_scale(self) -> float | None:
        """What int16 samples are multiplied by; None where none are accepted."""
        return None if self.frame is None else self.frame.int16_scale

    @property
    def summary(self) -> tuple[Channel, ...]:
        """A few words and a unit for each kind of number that a step has, in their order."""
        if self.range is not None:
            first, last = f"{self.range.prefix}0", f"{self.range.prefix}{self.range.count - 1}"
            return (Channel(name=f"{first} … {last}", unit=self.range.unit),)
        if self.frame is not None:
            hertz = self.frame.sample_rate_hz
            rate = "" if hertz is None else f" at {hertz:g} Hz"
            return (Channel(name=f"{self.frame.samples} samples{rate}", unit=self.frame.unit),)
        return self.channels
