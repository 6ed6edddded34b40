"""The protocol's statistics of a model, read from the metrics when somebody asks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from larnn_service.endpoints.oip.schemas import (
    InferStatistics,
    ModelStatistics,
    StatisticDuration,
    Statistics,
)
from larnn_service.engine.models.registry import key
from larnn_service.interfaces import Model
from larnn_service.telemetry.metrics import Metrics

DOORS = frozenset(
    {
        "/classify",
        "/streams/{stream_id}/steps",
        "/v2/models/{name}/infer",
        "/v2/models/{name}/versions/{version}/infer",
        "ModelInfer",
        "ModelStreamInfer",
    }
)
"""Of requests that run a model."""
WEBSOCKET = "/stream"
"""Its chunks count as requests; those over HTTP are requests already."""
_ANSWERED, _GONE = ("200", "OK"), ("499", "CANCELLED")


@dataclass
class _Duration:
    count: int = 0
    seconds: float = 0.0

    def add(self, count: int, seconds: float) -> None:
        self.count += count
        self.seconds += seconds

    @property
    def told(self) -> StatisticDuration:
        return StatisticDuration(self.count, round(self.seconds * 1e9))


@dataclass
class _Version:
    success: _Duration = field(default_factory=_Duration)
    fail: _Duration = field(default_factory=_Duration)
    queue: _Duration = field(default_factory=_Duration)
    run: _Duration = field(default_factory=_Duration)


def statistics(metrics: Metrics, models: Iterable[Model]) -> Statistics:
    """Of these versions, since the process started."""
    versions: dict[tuple[str, str], _Version] = defaultdict(_Version)
    for (door, name, version, status), count, seconds in metrics.requests.totals():
        if door in DOORS and status not in _GONE:
            own = versions[name, version]
            (own.success if status in _ANSWERED else own.fail).add(count, seconds)
    for (door, name, version), count, seconds in metrics.chunks.totals():
        if door == WEBSOCKET:
            versions[name, version].success.add(count, seconds)
    for (name, version), count, seconds in metrics.queue.totals():
        versions[name, version].queue.add(count, seconds)
    for (name, version), count, seconds in metrics.run.totals():
        versions[name, version].run.add(count, seconds)
    named = ((name, str(version)) for name, version in map(key, models))
    return Statistics([_told(*each, versions[each]) for each in named])


def _told(name: str, version: str, own: _Version) -> ModelStatistics:
    none, within = StatisticDuration(0, 0), StatisticDuration(own.run.count, 0)
    return ModelStatistics(
        name=name,
        version=version,
        inference_count=own.queue.count,
        execution_count=own.run.count,
        inference_stats=InferStatistics(
            success=own.success.told,
            fail=own.fail.told,
            queue=own.queue.told,
            compute_input=within,
            compute_infer=own.run.told,
            compute_output=within,
            cache_hit=none,
            cache_miss=none,
        ),
    )
