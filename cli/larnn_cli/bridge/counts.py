"""What a bridge has done: for Prometheus, and as a line of progress."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

TOLD = {
    "messages": "Messages that came from the broker, those sent again included.",
    "steps": "Steps whose answer came.",
    "answers": "Answers that the broker has.",
    "errors": "Messages that held no steps, or that the service refused.",
    "repeated": "Messages that had come before, and were dropped.",
    "dropped": "Messages of QoS 0 that came while too much was on its way.",
    "streams_lost": "Streams that the service had forgotten, and that began anew.",
}


@dataclass
class Counts:
    """Counters since the bridge began, and what is on its way now."""

    messages: int = 0
    steps: int = 0
    answers: int = 0
    errors: int = 0
    repeated: int = 0
    dropped: int = 0
    streams_lost: int = 0
    waiting: int = 0
    """Messages that are not committed."""
    paused: int = 0
    """Partitions whose messages the broker keeps for now."""
    streams: int = 0
    """Connections to the service."""
    _before: tuple[float, int] = field(default_factory=lambda: (time.monotonic(), 0))

    def line(self) -> str:
        """The state now, and the rate since the last line."""
        now, (then, answered) = time.monotonic(), self._before
        self._before = (now, self.answers)
        rate = (self.answers - answered) / max(now - then, 1e-9)
        paused = f", {self.paused} partitions wait at the broker" if self.paused else ""
        return (
            f"{self.messages:,} messages, {self.answers:,} answered ({rate:,.0f}/s), "
            f"{self.errors:,} errors, {self.waiting:,} on their way, {self.streams:,} streams"
            f"{paused}"
        )

    def collect(self) -> Iterator[Metric]:
        """For a registry of prometheus_client."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for name, text in TOLD.items():
            yield CounterMetricFamily(f"larnn_bridge_{name}", text, value=getattr(self, name))
        yield GaugeMetricFamily("larnn_bridge_waiting", "Messages on their way.", self.waiting)
        yield GaugeMetricFamily("larnn_bridge_paused", "Partitions held back.", self.paused)
        yield GaugeMetricFamily("larnn_bridge_streams", "Open streams.", self.streams)


def serve(counts: Counts, port: int, address: str = "127.0.0.1") -> int:
    """Answer Prometheus at this address; the port, a free one for 0. Raises OSError."""
    from prometheus_client import CollectorRegistry, start_http_server

    registry = CollectorRegistry()
    registry.register(counts)
    server, _ = start_http_server(port, address, registry)
    return int(server.server_port)
