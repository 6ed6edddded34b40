"""Spans of what the web's side does not see: chunks of a stream, and the runs that many share."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping

from opentelemetry import propagate, trace
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Tracer, TracerProvider

from larnn_service.telemetry.tags import tag

_STREAM = re.compile(r"[0-9a-f]{48}(?:[0-9a-f]{16})?")


class Traces:
    """Made where a collector was named; without one nothing asks for spans."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer: Tracer = provider.get_tracer("larnn")

    @contextlib.contextmanager
    def chunk(self, traceparent: str | None, about: Mapping[str, str | int]) -> Iterator[None]:
        """A chunk's span: in the trace that it names, else in its connection's."""
        connection = trace.get_current_span().get_span_context()
        named = None if traceparent is None else propagate.extract({"traceparent": traceparent})
        links = [] if named is None else [Link(connection)]
        with self._tracer.start_as_current_span(
            "chunk", context=named, kind=SpanKind.SERVER, links=links, attributes=about
        ):
            yield

    def run(self, model: str, version: int, rows: int, asked: Iterable[SpanContext]) -> Span:
        """A run's span: below the first of those that it serves, linked to the others."""
        each = {context.span_id: context for context in asked}  # of one request there may be many
        first, *others = each.values() or [trace.INVALID_SPAN_CONTEXT]
        return self._tracer.start_span(
            "run",
            context=trace.set_span_in_context(trace.NonRecordingSpan(first)),
            links=[Link(other) for other in others],
            attributes={"larnn.model": model, "larnn.version": version, "larnn.rows": rows},
        )


def here() -> SpanContext:
    """The span that what is queued now belongs to."""
    return trace.get_current_span().get_span_context()


def trace_id() -> str | None:
    """Of the trace that goes on, for the log."""
    context = here()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def without_ids(text: str) -> str:
    """The text with a tag in the place of each stream's id."""
    return _STREAM.sub(lambda found: tag(found[0]), text)
