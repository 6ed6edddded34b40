"""From the statistics of a step to its novelty."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from larnn_export.novelty.prototypes import Prototypes
from larnn_export.novelty.statistics import Doubles, Floats, Statistics, decay, smoothed

MOST = 4.0
"""Distances are remembered up to this, about twice a threshold, so that what was strange once is
forgotten."""


@dataclass(frozen=True)
class Score:
    """What the graph computes, with its constants."""

    statistics: Statistics
    prototypes: Prototypes
    memory_seconds: float
    """Time constant of what is remembered of the distance; 0: nothing."""
    threshold: float
    """Beyond it nobody should be sure."""

    def of_recording(self, signals: Floats) -> Doubles:
        """The novelty [steps] of a whole recording [steps, channels]."""
        distance = self.prototypes.distance(self.statistics.of_recording(signals))
        return remembered(distance, self.memory_seconds, self.statistics.rate_hz)


def remembered(distance: Doubles, seconds: float, rate_hz: float) -> Doubles:
    """The mean of the distance [steps] and of what is remembered of it; without a memory itself."""
    if not seconds:
        return distance
    kept = decay(seconds, rate_hz)
    weight = smoothed(np.ones_like(distance), kept)
    return (distance + smoothed(np.minimum(distance, MOST), kept) / weight) / 2
