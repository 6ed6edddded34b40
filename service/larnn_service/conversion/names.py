"""A step's numbers by the names that people have for them: channels, and triples of axes."""

from __future__ import annotations

from functools import cached_property

from larnn_service.conversion.units import Unit, unit
from larnn_service.inputs import Input

AXES = "xyz"
_SEPARATORS = "_-. "
_LISTED = 16


class ConversionError(ValueError):
    """What was said of units or axes cannot be; the text says what can."""


class Names:
    """Of the numbers of one model's steps, in their order."""

    def __init__(self, step: Input, who: str) -> None:
        self.step, self.who = step, who
        if step.range is not None:
            prefix, count = step.range.prefix, step.range.count
            self.channels = [f"{prefix}{index}" for index in range(count)]
            self._units = [step.range.unit] * count
        elif step.frame is not None:
            self.channels = [f"sample{index}" for index in range(step.width)]
            self._units = [step.frame.unit] * step.width
        else:
            self.channels = [channel.name for channel in step.channels]
            self._units = [channel.unit for channel in step.channels]

    @cached_property
    def indices(self) -> dict[str, int]:
        """Where each channel stands."""
        return {name: index for index, name in enumerate(self.channels)}

    @cached_property
    def triples(self) -> dict[str, tuple[int, ...]]:
        """Where x, y and z stand of each NAME_x, NAME_y, NAME_z, by NAME."""
        found = {}
        for name in self.channels:
            if name.endswith(AXES[0]):
                stem = name[:-1]
                places = [self.indices.get(stem + axis) for axis in AXES]
                if None not in places:
                    found[stem.rstrip(_SEPARATORS)] = tuple(p for p in places if p is not None)
        return found

    def unit(self, index: int) -> Unit | None:
        """The channel's own; None where it is none that is known."""
        return unit(self._units[index])

    def unit_text(self, index: int) -> str:
        """As the manifest writes it."""
        return self._units[index]

    def of(self, name: str, said: str) -> tuple[int, ...]:
        """The channels that a name stands for. Raises ConversionError."""
        if (index := self.indices.get(name)) is not None:
            return (index,)
        if (triple := self.triples.get(name)) is not None:
            return triple
        groups = f", and the triples {', '.join(self.triples)}" if self.triples else ""
        raise ConversionError(
            f"{said}: {name[:32]!r} is no channel of {self.who}; it has {self.listed}{groups}"
        )

    @property
    def listed(self) -> str:
        """The channels' names; of many the first and the last."""
        if len(self.channels) <= _LISTED:
            return ", ".join(self.channels)
        return f"{self.channels[0]} … {self.channels[-1]}"
