"""Steps over which a graph and its network are compared: noise, tokens, or somebody's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from larnn_service.contract import Contract, Input, Vocabulary

EPSILON = 2.0**-23
"""A float32's last bit, relative to it."""


class TrialInputs(Protocol):
    """What can be drawn from; a seed gives the same."""

    @property
    def told(self) -> str:
        """What they are, in a few words."""
        ...

    def draw(self, random: np.random.Generator, rows: int, steps: int) -> NDArray[Any]:
        """[rows, steps, channels], each row a sequence."""
        ...


@dataclass(frozen=True)
class Scale:
    """Noise of a mean and standard deviation for each channel: far from those of its data a
    network may amplify rounding."""

    mean: Sequence[float]
    deviation: Sequence[float]

    @property
    def told(self) -> str:
        return "normal noise"

    def draw(self, random: np.random.Generator, rows: int, steps: int) -> NDArray[Any]:
        """float32, normal."""
        x = random.normal(self.mean, self.deviation, (rows, steps, len(self.mean)))
        return x.astype(np.float32)


@dataclass(frozen=True)
class AnyToken:
    """Of so many."""

    size: int

    @property
    def told(self) -> str:
        return "random tokens"

    def draw(self, random: np.random.Generator, rows: int, steps: int) -> NDArray[Any]:
        """int64, one channel; the highest token is always among them."""
        x = random.integers(0, self.size, (rows, steps, 1))
        x[0, 0] = self.size - 1
        return x


@dataclass(frozen=True)
class Samples:
    """Real steps [steps, channels]; a row begins anywhere, and after their end at the first."""

    steps: NDArray[Any]
    sequences: int

    @property
    def told(self) -> str:
        sequences = "one sequence" if self.sequences == 1 else f"{self.sequences:,} sequences"
        return f"{len(self.steps):,} samples of {sequences}"

    def draw(self, random: np.random.Generator, rows: int, steps: int) -> NDArray[Any]:
        """Of the samples' type."""
        starts = random.integers(0, len(self.steps), (rows, 1))
        x: NDArray[Any] = self.steps[(starts + np.arange(steps)) % len(self.steps)]
        return x


def scale_of(record: Mapping[str, Any]) -> Scale | None:
    """Of the data that a run learned from, where its record says."""
    return Scale(**record["scale"]) if "scale" in record else None


def standard(channels: int) -> Scale:
    return Scale([0.0] * channels, [1.0] * channels)


def noise_for(contract: Contract) -> TrialInputs:
    """Tokens where the contract has them, else standard normal noise."""
    tokens = contract.vocabulary
    return standard(contract.input.width) if tokens is None else AnyToken(tokens.size)


def samples_for(
    step: Input, tokens: Vocabulary | None, samples: ArrayLike | Sequence[ArrayLike]
) -> Samples:
    """From an array [steps, channels] or a list of such. Raises ValueError, naming the array."""
    width, dtype = step.width, np.float32 if tokens is None else np.int64
    one = len(samples) == 0 or np.ndim(samples[0]) < 2  # type: ignore[arg-type,index]
    sequences = [np.asarray(each) for each in ([samples] if one else samples)]  # type: ignore
    for index, each in enumerate(sequences):
        name = "samples" if one else f"samples[{index}]"
        if each.ndim != 2 or each.shape[1] != width or not len(each):
            raise ValueError(f"{name} is an array {list(each.shape)}, not [steps, {width}]")
        if not np.isfinite(each).all():
            raise ValueError(f"{name} has numbers that are not finite")
        if tokens and not ((each >= 0) & (each < tokens.size) & (each == np.trunc(each))).all():
            raise ValueError(f"{name} must be tokens, whole numbers from 0 to {tokens.size - 1}")
    return Samples(np.concatenate(sequences).astype(dtype), len(sequences))


def rounded_otherwise(random: np.random.Generator, x: NDArray[Any]) -> NDArray[Any]:
    """The same floats, the last bit of each changed; there is nothing in a token to be rounded."""
    if x.dtype.kind != "f":
        return x
    return (x * (1 + EPSILON * random.choice([-1, 1], x.shape))).astype(x.dtype)
