"""What a version's batcher tells of its queue and its runs."""

from __future__ import annotations

from collections.abc import Collection

from opentelemetry.trace import Span, SpanContext, StatusCode

from larnn_service.telemetry.metrics import Metrics


class RunTelemetry:
    """Of one version, its metrics looked up once."""

    def __init__(self, metrics: Metrics, model: str, version: int) -> None:
        labels = (model, str(version))
        self._traces = metrics.traces
        self._of = (model, version)
        self._queue = metrics.observer(metrics.queue, *labels)
        self._run = metrics.observer(metrics.run, *labels)
        self._rows = metrics.observer(metrics.rows, *labels)
        self._steps = metrics.steps.labels(*labels)

    @property
    def traced(self) -> bool:
        """Whether anyone asks which spans a run serves."""
        return self._traces is not None

    def started(
        self, now: float, waits: Collection[float], rows: int, steps: int, asked: list[SpanContext]
    ) -> Run:
        """A run of so many rows and steps, some of which waited so long for it."""
        for wait in waits:
            self._queue.observe(wait)
        self._rows.observe(rows)
        self._steps.inc(steps)
        span = None if self._traces is None else self._traces.run(*self._of, rows, asked)
        return Run(self, now, span)

    def ended(self, seconds: float) -> None:
        self._run.observe(seconds)


class Run:
    """A run that goes on."""

    __slots__ = ("_span", "_telemetry", "since")

    def __init__(self, telemetry: RunTelemetry, since: float, span: Span | None) -> None:
        self._telemetry, self.since, self._span = telemetry, since, span

    def end(self, now: float, failed: bool) -> None:
        """It has given its rows their answers, or none."""
        self._telemetry.ended(now - self.since)
        if self._span is not None:
            if failed:
                self._span.set_status(StatusCode.ERROR)
            self._span.end()
