"""A histogram of one thread's observations: each costs a search among its bounds, and no lock."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Tally:
    """What was observed under the same labels."""

    __slots__ = ("_bounds", "counts", "sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self.counts = [0] * len(bounds)
        """By the first bound that an amount does not exceed."""
        self.sum = 0.0

    def observe(self, amount: float) -> None:
        self.counts[bisect_left(self._bounds, amount)] += 1
        self.sum += amount


class Histogram(Collector):
    """By labels. The event loop's thread observes; any may read."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        """`buckets`: their upper bounds, but for the last one, which has none."""
        self.name, self._documentation, self.label_names = name, documentation, labels
        self._bounds = (*buckets, math.inf)
        self._tallies: dict[tuple[str, ...], Tally] = {}
        registry.register(self)

    def labels(self, *values: str) -> Tally:
        """Where amounts with these labels go."""
        return self._tallies.setdefault(values, Tally(self._bounds))

    def totals(self) -> Iterator[tuple[tuple[str, ...], int, float]]:
        """Of each labels' values: how many amounts were observed, and their sum."""
        for values, tally in list(self._tallies.items()):
            yield values, sum(tally.counts), tally.sum

    def describe(self) -> Iterable[HistogramMetricFamily]:
        return [HistogramMetricFamily(self.name, self._documentation, labels=self.label_names)]

    def collect(self) -> Iterator[HistogramMetricFamily]:
        [family] = self.describe()
        names = [floatToGoString(bound) for bound in self._bounds]
        for values, tally in list(self._tallies.items()):
            buckets = list(zip(names, accumulate(tally.counts), strict=True))
            family.add_metric(values, buckets, tally.sum)
        yield family
