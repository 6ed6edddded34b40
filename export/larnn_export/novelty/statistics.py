"""Running statistics of the channels: what the novelty of a step is computed of."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.signal import lfilter

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
FLOOR = 0.001
"""Standard deviations below this share of a channel's own are not told apart."""
LARGEST = 1000.0
"""Standardised samples are clipped to this, so that their squares stay finite."""


@dataclass(frozen=True)
class Statistics:
    """Exponential means of the standardised channels and of their products, over a few time
    constants. A mean is divided by the weight of what it has seen, so that it holds from the first
    step on."""

    shift: Doubles
    """[channels], the mean in training."""
    deviation: Doubles
    """[channels]"""
    seconds: tuple[float, ...]
    """The time constants."""
    rate_hz: float

    @property
    def channels(self) -> int:
        return len(self.shift)

    @cached_property
    def pairs(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which channels are multiplied: each with itself first, then with each later one."""
        one, other = np.triu_indices(self.channels, 1)
        own = np.arange(self.channels)
        return np.concatenate([own, one]), np.concatenate([own, other])

    @cached_property
    def decays(self) -> Doubles:
        """[scales], what a step leaves of a mean."""
        return np.array([decay(each, self.rate_hz) for each in self.seconds])

    @property
    def moments(self) -> int:
        """Numbers that are kept for each time constant: the weight, the means, the products."""
        return 1 + self.channels + len(self.pairs[0])

    @property
    def features(self) -> int:
        """For each time constant the means, logarithms of variances, and correlations."""
        return len(self.seconds) * (self.moments - 1)

    def of_recording(self, signals: Floats) -> Doubles:
        """[steps, features] of a whole recording [steps, channels]: of all time constants the
        means, then the logarithms, then the correlations."""
        samples = np.clip((signals - self.shift) / self.deviation, -LARGEST, LARGEST)
        one, other = self.pairs
        each = np.concatenate(
            [np.ones((len(samples), 1)), samples, samples[:, one] * samples[:, other]], axis=1
        )
        found = [self._features(smoothed(each, kept)) for kept in self.decays]
        return np.concatenate(
            [np.concatenate(parts, axis=1) for parts in zip(*found, strict=True)], axis=1
        )

    def _features(self, moments: Doubles) -> tuple[Doubles, Doubles, Doubles]:
        """Means, logarithms of variances, and correlations [steps, …] of one time constant, of its
        moments [steps, moments]."""
        mean, products = np.split(moments[:, 1:] / moments[:, :1], [self.channels], axis=1)
        one, other = self.pairs
        variances, between = np.split(
            products - mean[:, one] * mean[:, other], [self.channels], axis=1
        )
        logarithms = np.log(np.maximum(variances, FLOOR**2))
        one, other = one[self.channels :], other[self.channels :]
        correlations = between * np.exp(-0.5 * (logarithms[:, one] + logarithms[:, other]))
        return mean, logarithms, correlations


def decay(seconds: float, rate_hz: float) -> float:
    """What a step leaves of an exponential mean."""
    return math.exp(-1 / (seconds * rate_hz))


def smoothed(values: Doubles, kept: float) -> Doubles:
    """Exponential sums [steps, …] of [steps, …] along the steps, from nothing."""
    return np.asarray(lfilter([1 - kept], [1, -kept], values, axis=0))
