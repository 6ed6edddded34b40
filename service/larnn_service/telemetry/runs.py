"""What a version's batcher tells of its queue and its runs."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from numpy.typing import NDArray
from opentelemetry.trace import Span, SpanContext, StatusCode

from larnn_service.contract import Manifest
from larnn_service.outputs import Floats
from larnn_service.telemetry.drift import MOST
from larnn_service.telemetry.metrics import Metrics


class Waiting(Protocol):
    """A row whose steps wait."""

    x: NDArray[Any]
    """[steps, width]"""
    left: int
    """Of its steps those that wait, the last ones."""


class RunTelemetry:
    """Of one version, its metrics looked up once."""

    def __init__(self, metrics: Metrics, manifest: Manifest) -> None:
        self._of = model, version = manifest.name, manifest.version
        labels = (model, str(version))
        self._traces = metrics.traces
        self.drift = metrics.seen.of(manifest)
        self._queue = metrics.observer(metrics.queue, *labels)
        self._run = metrics.observer(metrics.run, *labels)
        self._rows = metrics.observer(metrics.rows, *labels)
        self._steps = metrics.steps.labels(*labels)

    @property
    def traced(self) -> bool:
        """Whether anyone asks which spans a run serves."""
        return self._traces is not None

    def started(
        self,
        now: float,
        waits: Collection[float],
        rows: Sequence[Waiting],
        counts: Sequence[int],
        asked: list[SpanContext],
    ) -> Run:
        """A run of `counts[i]` steps of each row i, some of which waited so long for it."""
        for wait in waits:
            self._queue.observe(wait)
        self._rows.observe(len(rows))
        self._steps.inc(sum(counts))
        span = None if self._traces is None else self._traces.run(*self._of, len(rows), asked)
        run = Run(self, now, span)
        if self.drift is not None:
            run.last = [
                row.x[count - 1 - row.left] for row, count in zip(rows[:MOST], counts, strict=False)
            ]
        return run

    def ended(self, seconds: float) -> None:
        self._run.observe(seconds)


class Run:
    """A run that goes on."""

    __slots__ = ("_span", "_telemetry", "last", "since")

    def __init__(self, telemetry: RunTelemetry, since: float, span: Span | None) -> None:
        self._telemetry, self.since, self._span = telemetry, since, span
        self.last: list[NDArray[Any]] = []
        """Of some of its rows the last step, where somebody compares it with training."""

    def end(self, now: float, rows: Sequence[tuple[Floats | None, Any]] | None) -> None:
        """It has given its rows their answers: of each the outputs [steps, columns], or None, and
        its state. No rows: it failed."""
        self._telemetry.ended(now - self.since)
        if rows is not None and self._telemetry.drift is not None:
            self._telemetry.drift.observe(self.last, [outputs for outputs, _ in rows])
        if self._span is not None:
            if rows is None:
                self._span.set_status(StatusCode.ERROR)
            self._span.end()
