"""What a model sees and says, in the bins of its training: whether the population has changed."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from numpy.typing import NDArray
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from larnn_service.contract import Contract, Manifest
from larnn_service.distribution import CONFIDENCE, Distribution
from larnn_service.outputs import Floats, spans

MOST = 8
"""Rows of a run that are looked at: more would tell the same, and take time."""
LABELS = ("model", "version", "quantity", "bin")
Value = Callable[[NDArray[Any], Floats], float]
"""Of a step [width] and its outputs [columns]."""


class Drift:
    """Of one version. The event loop's thread observes; any may read."""

    def __init__(self, manifest: Manifest) -> None:
        self.training = manifest.training
        self.counts = [[0] * len(each.shares) for each in self.training]
        """Steps by bin, of each quantity of the training."""
        self._values = [_value(each, manifest.contract) for each in self.training]

    def observe(self, steps: Sequence[NDArray[Any]], outputs: Sequence[Floats | None]) -> None:
        """The last step [width] of each row of a run, and its outputs [steps, columns], or None
        where these are not finite."""
        for step, columns in zip(steps, outputs, strict=False):
            if columns is None:
                continue
            for counts, each, value in zip(self.counts, self.training, self._values, strict=True):
                counts[bisect_left(each.bounds, value(step, columns[-1]))] += 1


class Seen(Collector):
    """Every version's, by its labels."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._versions: dict[tuple[str, str], Drift] = {}
        registry.register(self)

    def of(self, manifest: Manifest) -> Drift | None:
        """Where what this version sees is counted: anew where it has been loaded again. None where
        its manifest does not tell how training was distributed."""
        if not manifest.training:
            return None
        drift = self._versions[manifest.name, str(manifest.version)] = Drift(manifest)
        return drift

    def describe(self) -> Iterable[Metric]:
        return [_seen(), _trained()]

    def collect(self) -> Iterator[Metric]:
        seen, trained = _seen(), _trained()
        for version, drift in list(self._versions.items()):
            for counts, each in zip(drift.counts, drift.training, strict=True):
                for index, (count, share) in enumerate(zip(counts, each.shares, strict=True)):
                    labels = (*version, each.quantity, str(index))
                    seen.add_metric(labels, count)
                    trained.add_metric(labels, share)
        yield seen
        yield trained


def _seen() -> CounterMetricFamily:
    text = (
        "Steps that were looked at, by the bin in which a quantity lay; the last of a run's rows."
    )
    return CounterMetricFamily("larnn_seen_steps", text, labels=LABELS)


def _trained() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "larnn_training_share", "Share of the steps of training in a bin.", labels=LABELS
    )


def _value(distribution: Distribution, contract: Contract) -> Value:
    name = distribution.quantity
    if name == CONFIDENCE:
        end = contract.outputs[0].columns
        return lambda _, columns: _confidence(columns[:end])
    for output, own in spans(contract.outputs):
        if output.names == (name,):
            at = own.start
            return lambda _, columns: float(columns[at])
    channel = [each.name for each in contract.input.channels].index(name)
    return lambda step, _: float(step[channel])


def _confidence(logits: Floats) -> float:
    """The largest of the probabilities."""
    numbers: list[float] = logits.tolist()
    largest = max(numbers)
    return 1 / sum(math.exp(logit - largest) for logit in numbers)
