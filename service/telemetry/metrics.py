"""The metrics of one service, in a registry of its own, named as Prometheus has it."""

from __future__ import annotations

from functools import lru_cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.registry import Collector

disable_created_metrics()  # one more sample for each, which nobody asks for

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class RunMetrics:
    """Those of one version's batches, looked up once."""

    def __init__(self, metrics: Metrics, model: str, version: int) -> None:
        labels = (model, str(version))
        self.queue = metrics.queue.labels(*labels)
        self.run = metrics.run.labels(*labels)
        self.rows = metrics.rows.labels(*labels)
        self.steps = metrics.steps.labels(*labels)


class Metrics:
    """Counters and histograms; what can be read when asked for is a Collector's."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.requests = Histogram(
            "larnn_http_request_duration_seconds",
            "HTTP requests, from the headers to the end of the answer.",
            ("door", "model", "status"),
            buckets=SECONDS,
            registry=registry,
        )
        self.chunks = Histogram(
            "larnn_chunk_duration_seconds",
            "Chunks of streams that were answered, from when they were decoded.",
            ("door", "model"),
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
        self.request = lru_cache(4096)(self.requests.labels)
        self.chunk = lru_cache(4096)(self.chunks.labels)
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

    def of_runs(self, model: str, version: int) -> RunMetrics:
        """What a version's batcher observes."""
        return RunMetrics(self, model, version)

    def watch(self, collector: Collector) -> None:
        """Ask it, too, whenever somebody reads."""
        self.registry.register(collector)

    def text(self) -> bytes:
        """All of them, in Prometheus's text format."""
        return generate_latest(self.registry)
