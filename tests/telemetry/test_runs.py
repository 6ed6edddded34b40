"""Spans of runs that several callers share."""

from __future__ import annotations

import asyncio

import numpy as np
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from larnn_service.engine.batching.batcher import Batcher
from larnn_service.engine.batching.executor import Executor
from larnn_service.interfaces import Model
from larnn_service.telemetry.metrics import Metrics
from larnn_service.telemetry.runs import RunTelemetry
from larnn_service.telemetry.traces import Traces
from tests.awaited import outcomes
from tests.engine.bench import MANIFEST, Sums

WINDOW = np.ones((2, 2), np.float32)


async def test_a_shared_run_is_below_the_first_and_linked_to_the_others() -> None:
    provider, spans = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(spans))
    metrics, threads = Metrics(), Executor(1)
    metrics.traces = Traces(provider)
    batcher = Batcher(
        Model(MANIFEST, Sums()),
        threads,
        RunTelemetry(metrics, MANIFEST),
        concurrency=1,
        max_batch_size=8,
        max_run_steps=8,
        max_run_row_steps=64,
        max_waiting_steps=100,
    )
    replies = []
    for name in ("first", "second"):
        with provider.get_tracer("test").start_as_current_span(name):
            asked = outcomes(batcher, [(WINDOW, None), (WINDOW, None)])
            replies.append(asyncio.create_task(asked))
    await asyncio.gather(*replies)
    threads.close()
    by_name = {span.name: span for span in spans.get_finished_spans()}
    run, first, second = by_name["run"], by_name["first"], by_name["second"]
    assert run.parent is not None and first.context is not None and second.context is not None
    assert run.parent.span_id == first.context.span_id
    assert [link.context.span_id for link in run.links] == [second.context.span_id]
    assert run.attributes is not None and run.attributes["larnn.rows"] == 4
