"""Spans of requests, connections and chunks, and of the runs that many of them share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager

from opentelemetry import propagate, trace
from opentelemetry.trace import (
    Link,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    TracerProvider,
)

from larnn_service.telemetry.tags import tag

_OF_CHUNKS = ("larnn.model", "larnn.version", "larnn.stream", "larnn.offset", "larnn.steps")
_STREAM = re.compile(r"[0-9a-f]{48}(?:[0-9a-f]{16})?")


class OpenSpan:
    """A span that is ended by whoever answers."""

    def __init__(self, span: Span) -> None:
        self.span = span

    def current(self) -> AbstractContextManager[Span]:
        """What begins meanwhile is below this span."""
        return trace.use_span(self.span)

    def end(self, status: int | None = None, failed: bool = False) -> None:
        """`status`: of the HTTP response."""
        if status is not None:
            self.span.set_attribute("http.response.status_code", status)
        if failed or (status or 0) >= 500:
            self.span.set_status(StatusCode.ERROR)
        self.span.end()


class Traces:
    """Made where a collector was named; without one nothing asks for spans."""

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer: Tracer = provider.get_tracer("larnn")

    def request(
        self, method: str, route: str, path: str, query: str, headers: Mapping[str, str]
    ) -> OpenSpan:
        """A request's span, or a connection's, in the trace that its headers name."""
        about = {"http.request.method": method, "http.route": route, "url.path": path}
        if query:
            about["url.query"] = query
        span = self._tracer.start_span(
            f"{method} {route}",
            context=propagate.extract(headers),
            kind=SpanKind.SERVER,
            attributes=about,
        )
        return OpenSpan(span)

    def chunk(
        self,
        connection: OpenSpan,
        traceparent: str | None,
        about: tuple[str, int, str, int, int],
    ) -> OpenSpan:
        """A chunk's span: in the trace that it names, else in its connection's. `about`: model,
        version, the stream's name, offset and steps."""
        if traceparent is None:
            context, links = trace.set_span_in_context(connection.span), []
        else:
            context = propagate.extract({"traceparent": traceparent})
            links = [Link(connection.span.get_span_context())]
        span = self._tracer.start_span(
            "chunk",
            context=context,
            kind=SpanKind.SERVER,
            links=links,
            attributes=dict(zip(_OF_CHUNKS, about, strict=True)),
        )
        return OpenSpan(span)

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
