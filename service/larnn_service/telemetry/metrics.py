"""The metrics of one service, in a registry of its own, named as Prometheus has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from larnn_service.telemetry.drift import Seen
from larnn_service.telemetry.histogram import Histogram
from larnn_service.telemetry.traces import Traces

disable_created_metrics()  # one more sample for each, which nobody asks for

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
CAPTURED = ("written", "over_limit", "failed", "forgotten")
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Observed(Protocol):
    """Takes one value of a distribution."""

    def observe(self, amount: float) -> None: ...


class Metrics:
    """Counters and histograms; what can be read when asked for is a Collector's."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Histogram(
            "larnn_http_request_duration_seconds",
            "HTTP requests, from the headers to the end of the answer.",
            ("door", "model", "version", "status"),
            buckets=SECONDS,
            registry=registry,
        )
        self.chunks = Histogram(
            "larnn_chunk_duration_seconds",
            "Chunks of streams that were answered, from when they were decoded.",
            ("door", "model", "version"),
            buckets=SECONDS,
            registry=registry,
        )
        self.errors = Counter(
            "larnn_errors_total",
            "Errors told to clients, by the protocol's code.",
            ("door", "code"),
            registry=registry,
        )
        self.queue = Histogram(
            "larnn_queue_duration_seconds",
            "How long a sequence or chunk waited for its first run.",
            ("model", "version"),
            buckets=SECONDS,
            registry=registry,
        )
        self.run = Histogram(
            "larnn_run_duration_seconds",
            "Runs of the model, each of one batch.",
            ("model", "version"),
            buckets=SECONDS,
            registry=registry,
        )
        self.rows = Histogram(
            "larnn_run_rows",
            "Rows in one run: sequences and chunks that were batched.",
            ("model", "version"),
            buckets=ROWS,
            registry=registry,
        )
        self.steps = Counter(
            "larnn_steps_total",
            "Time steps that were run.",
            ("model", "version"),
            registry=registry,
        )
        self.streams = Counter(
            "larnn_stream_events_total",
            "What happened to streams: opened, resumed from the store, ended, removed, migrated, "
            "evicted from memory, moved to another replica, refused for want of room.",
            ("event",),
            registry=registry,
        )
        self.checkpoints = Histogram(
            "larnn_checkpoint_duration_seconds",
            "Writes to the store: saved, moved and gone are its answers, unavailable is none.",
            ("outcome",),
            buckets=SECONDS,
            registry=registry,
        )
        self.loads = Counter(
            "larnn_model_loads_total",
            "Versions loaded while serving: loaded, or refused.",
            ("model", "outcome"),
            registry=registry,
        )
        self.captured = Counter(
            "larnn_captured_steps_total",
            "Steps to be captured: written to a file, over the limit of what may wait, failed on "
            "the way to a file, or of a stream that was forgotten meanwhile.",
            ("outcome",),
            registry=registry,
        )
        for outcome in CAPTURED:
            self.captured.labels(outcome)
        self.seen = Seen(registry)
        self.observer = lru_cache(4096)(self._observer)
        """Where values of a histogram with these labels go: looked up once."""
        self.also: Callable[[str, dict[str, str], Observed], Observed] | None = None
        """Makes an observer that tells somebody else, too."""
        self.traces: Traces | None = None
        self._gauges: Collector | None = None
        self._writing = asyncio.Lock()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

    def _observer(self, histogram: Histogram, *labels: str) -> Observed:
        child = histogram.labels(*labels)
        if self.also is None:
            return child
        return self.also(
            histogram.name, dict(zip(histogram.label_names, labels, strict=True)), child
        )

    def watch(self, gauges: Collector) -> None:
        """Ask it, too, whenever somebody reads, in the event loop."""
        self._gauges = gauges

    def families(self) -> list[Metric]:
        """The service's own metrics as they are now."""
        own = (self.requests, self.chunks, self.errors, self.queue, self.run, self.rows)
        more = (self.steps, self.streams, self.checkpoints, self.loads, self.captured, self.seen)
        return [*(family for one in (*own, *more) for family in one.collect()), *self._now()]

    def _now(self) -> list[Metric]:
        return [] if self._gauges is None else list(self._gauges.collect())

    async def text(self) -> bytes:
        """All of them, in Prometheus's text format. What many labels make long is written in a
        thread, one at a time."""
        async with self._writing:
            now = CollectorRegistry()
            now.register(_Taken(self._now()))
            return await asyncio.to_thread(
                lambda: generate_latest(self.registry) + generate_latest(now)
            )


class _Taken(Collector):
    """Metrics as they were."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families
