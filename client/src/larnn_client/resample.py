"""Steps at a steady rate from samples that come when they come."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Doubles = NDArray[np.float64]


class Resampler:
    """Puts samples with times onto a steady rate, by linear interpolation between neighbours.

    Step n stands 1/rate_hz · n seconds behind the first sample. It is given as soon as a sample at
    or behind its time has come, so that a live source can be streamed; and it depends on the two
    samples around it alone, so that it does not matter in which parts samples are pushed. What a
    stream sends again after a break is therefore what it sent before.

    Two samples further apart than `longest_gap` seconds are not connected: the steps behind them
    begin anew, and what remembers the steps before them should begin anew, too.
    """

    def __init__(self, rate_hz: float, longest_gap: float = 0.5) -> None:
        if not (0 < rate_hz < np.inf and longest_gap > 0):
            raise ValueError(
                f"a rate and a gap are positive, not {rate_hz:g} Hz and {longest_gap:g} s"
            )
        self.rate_hz, self.longest_gap = rate_hz, longest_gap
        self._first = self._last = np.nan
        """Times of the first sample since the last gap, and of the last sample."""
        self._sample: Doubles | None = None
        """The last sample."""
        self._steps = 0
        """How many steps were given since the first sample."""

    def push(self, times: ArrayLike, samples: ArrayLike) -> list[NDArray[np.float32]]:
        """The steps [steps, channels] that these samples make possible.

        `times` [samples] in seconds, each later than the one before (of two with the same time the
        first counts); `samples` [samples, channels]. There is one array more than there were gaps:
        the first goes on where the last one ended, and may be empty; each other one begins anew.
        Raises ValueError where shapes do not fit, a number is not finite, or time runs backwards.
        """
        when, what = _checked(times, samples, self._last)
        if self._sample is not None:
            when = np.concatenate([[self._last], when])
            what = np.concatenate([self._sample[None], what])
        if not len(when):
            return [np.zeros((0, what.shape[1]), np.float32)]
        edges = 1 + np.flatnonzero(np.diff(when) > self.longest_gap)
        found = []
        for index, (first, end) in enumerate(zip([0, *edges], [*edges, len(when)], strict=True)):
            if index or self._sample is None:
                self._first, self._steps = when[first], 0
            found.append(self._between(when[first:end], what[first:end]))
        self._last, self._sample = when[-1], what[-1].copy()
        return found

    def _between(self, when: Doubles, what: Doubles) -> NDArray[np.float32]:
        count = int(np.floor((when[-1] - self._first) * self.rate_hz)) + 2
        grid = self._first + np.arange(self._steps, max(count, self._steps)) / self.rate_hz
        grid = grid[grid <= when[-1]]
        self._steps += len(grid)
        return interpolated(when, what, grid)


def interpolated(times: Doubles, samples: Doubles, grid: Doubles) -> NDArray[np.float32]:
    """[steps, channels] at the times of `grid`, from samples [samples, channels] at `times`.

    Beyond the first and the last sample it goes on along the line through the two at that end.
    """
    if len(times) == 1:
        return np.repeat(samples, len(grid), axis=0).astype(np.float32)
    behind = np.searchsorted(times, grid).clip(1, len(times) - 1)
    before = behind - 1
    share = (grid - times[before]) / (times[behind] - times[before])
    step = samples[before] + share[:, None] * (samples[behind] - samples[before])
    return np.asarray(step, np.float32)


def _checked(times: ArrayLike, samples: ArrayLike, last: float) -> tuple[Doubles, Doubles]:
    when, what = np.asarray(times, np.float64), np.asarray(samples, np.float64)
    if when.ndim != 1 or what.ndim != 2 or len(when) != len(what):
        raise ValueError(
            f"times {list(when.shape)} and samples {list(what.shape)}; "
            "[samples] and [samples, channels] are asked for"
        )
    if not (np.isfinite(when).all() and np.isfinite(what).all()):
        raise ValueError("a time or a sample is not finite")
    known = when if np.isnan(last) else np.concatenate([[last], when])
    later = np.diff(known)
    if (later < 0).any():
        place = int(np.flatnonzero(later < 0)[0])
        raise ValueError(f"time runs backwards: {known[place + 1]:g} s behind {known[place]:g} s")
    new = np.ones(len(when), bool)
    new[len(when) - len(later) :] = later > 0
    return when[new], what[new]
