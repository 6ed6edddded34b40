"""A step's numbers by the names that people have for them: channels, and triples of axes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
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
    def triples(self) -> list[tuple[int, ...]]:
        """Where x, y and z stand of each NAME_x, NAME_y, NAME_z."""
        return list(self._by_stem.values())

    @cached_property
    def named(self) -> dict[str, tuple[int, ...]]:
        """The same by NAME, of those whose name is no channel's and no other triple's."""
        stems = [stem.rstrip(_SEPARATORS) for stem in self._by_stem]
        counts = Counter([*stems, *self.channels])
        return {
            stem: places
            for stem, places in zip(stems, self.triples, strict=True)
            if counts[stem] == 1 and _is_readable(stem)
        }

    @cached_property
    def _by_stem(self) -> dict[str, tuple[int, ...]]:
        found = {}
        for name in self.channels:
            if name.endswith(AXES[0]):
                stem = name[:-1]
                places = [self.indices.get(stem + axis) for axis in AXES]
                if None not in places:
                    found[stem] = tuple(place for place in places if place is not None)
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
        if (triple := self.named.get(name)) is not None:
            return triple
        groups = f", and the triples {', '.join(self.named)}" if self.named else ""
        raise ConversionError(
            f"{said}: {name[:32]!r} is no channel of {self.who}; it has {self.listed}{groups}"
        )

    def each_of(
        self, items: Iterable[tuple[str, str]], said: str
    ) -> Iterator[tuple[tuple[int, ...], str]]:
        """What is said of the channels of a name, of triples before it is of channels: what is more
        special counts, wherever it stands. Raises ConversionError, also for a name that comes
        twice."""
        named = [(self.of(name, said), value) for name, value in items]
        twice = [places for places, count in Counter(p for p, _ in named).items() if count > 1]
        if twice:
            channels = ", ".join(self.channels[place] for place in twice[0])
            raise ConversionError(f"{said}: {channels}: say one thing of it")
        return iter(sorted(named, key=lambda each: -len(each[0])))

    def told(self, place: int, said: str) -> str:
        """A channel's name as it is read again. Raises ConversionError where it cannot be."""
        name = self.channels[place]
        if not _is_readable(name):
            raise ConversionError(
                f"{said}: {name[:32]!r} is no name that a text can have; say nothing of this "
                "channel alone"
            )
        return name

    @property
    def listed(self) -> str:
        """The channels' names; of many the first and the last."""
        if len(self.channels) <= _LISTED:
            return ", ".join(self.channels)
        return f"{self.channels[0]} … {self.channels[-1]}"


def _is_readable(name: str) -> bool:
    """Whether a name has an end where it stands in a text, and no sign before it."""
    return bool(name) and name == name.strip().lstrip("+-") and not {",", "="} & {*name}
