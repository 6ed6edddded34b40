"""OpenTelemetry: a running process that was told of a collector by the standard variables."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from websockets.sync.client import connect

from larnn_service.telemetry import otel
from larnn_service.telemetry.metrics import Metrics
from larnn_service.telemetry.tags import tag
from tests import collector, live, toy
from tests.collector import Collector, attributes
from tests.server.test_stream import Talk

TRACE = "0af7651916cd43dd8448eb211c80319c"
MESSAGE_TRACE = "1bf7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def traceparent(trace: str) -> str:
    return f"00-{trace}-{PARENT}-01"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Collector, str]]:
    """What a service told its collector from start to end, and the id of a stream of it."""
    models = tmp_path_factory.mktemp("models")
    toy.publish(models)
    with collector.running() as heard, pytest.MonkeyPatch.context() as patch:
        patch.setenv(ENDPOINT, heard.url)
        patch.setenv("OTEL_SERVICE_NAME", "larnn-test")
        with live.process(models=models, model="toy", concurrency=1) as service:
            client = httpx.Client(base_url=service.url, timeout=60)
            window = {"sequences": [[[1, 2]]]}
            client.post("/classify", json=window, headers={"traceparent": traceparent(TRACE)})
            stream = client.post("/streams").json()["stream"]
            client.get(f"/streams/{stream}")
            client.get(f"/classify?stream={stream}")
            client.post("/models/toy/load")
            with connect(f"{live.websocket_url(service.url)}?stream={stream}") as socket:
                talk = Talk(socket)
                talk.hear()
                talk.chunk(0, [[1, 2]])
                talk.chunk(1, [[1, 2]], traceparent=traceparent(MESSAGE_TRACE))
                talk.chunk(9, [[1, 2]])
                talk.say({"type": "end"})
            service.stop()
        client.close()
        yield heard, stream


def run_below(heard: Collector, asked: Span) -> Span:
    [run] = [span for span in heard.named("run") if span.parent_span_id == asked.span_id]
    return run


def test_a_request_goes_on_in_its_callers_trace(told: tuple[Collector, str]) -> None:
    heard, _ = told
    assert heard.services == {"larnn-test"}
    [asked] = heard.named("POST /classify")
    assert (asked.trace_id.hex(), asked.parent_span_id.hex()) == (TRACE, PARENT)
    assert asked.kind == Span.SPAN_KIND_SERVER
    found = attributes(asked.attributes)
    assert found["http.request.method"] == "POST"
    assert found["http.route"] == found["url.path"] == "/classify"
    assert found["http.response.status_code"] == 200
    run = run_below(heard, asked)
    assert attributes(run.attributes) == {
        "larnn.model": "toy",
        "larnn.version": 1,
        "larnn.rows": 1,
    }
    assert asked.start_time_unix_nano <= run.start_time_unix_nano
    assert run.end_time_unix_nano <= asked.end_time_unix_nano


def test_chunks_are_in_the_trace_of_their_connection_or_their_own(
    told: tuple[Collector, str],
) -> None:
    heard, stream = told
    [connection] = heard.named("WS /stream")
    first, own, gap = sorted(heard.named("chunk"), key=lambda span: span.start_time_unix_nano)
    assert first.trace_id == connection.trace_id
    assert first.parent_span_id == connection.span_id
    assert attributes(first.attributes) == {
        "larnn.model": "toy",
        "larnn.version": 1,
        "larnn.stream": tag(stream),
        "larnn.offset": 0,
        "larnn.steps": 1,
    }
    assert (own.trace_id.hex(), own.parent_span_id.hex()) == (MESSAGE_TRACE, PARENT)
    assert [link.span_id for link in own.links] == [connection.span_id]
    for chunk in (first, own):
        assert run_below(heard, chunk).trace_id == chunk.trace_id
    assert gap.status.code == gap.status.STATUS_CODE_ERROR


def test_no_stream_id_reaches_the_collector(told: tuple[Collector, str]) -> None:
    heard, stream = told
    assert stream.encode() not in heard.raw
    [looked] = heard.named("GET /streams/{stream_id}")
    assert attributes(looked.attributes)["url.path"] == f"/streams/{tag(stream)}"


def test_metrics_reach_the_collector(told: tuple[Collector, str]) -> None:
    heard, _ = told
    own = {family.name for family in Metrics().families()}
    own -= {"larnn_seen_steps", "larnn_training_share"}  # of models that tell of their training
    names = {name.removesuffix("_seconds").replace("_", ".") for name in own}
    assert names <= heard.metrics.keys()
    assert {"larnn.streams", "larnn.ready", "http.server.request.duration"} <= heard.metrics.keys()
    [runs] = heard.metrics["larnn.run.duration"].histogram.data_points
    assert attributes(runs.attributes) == {"model": "toy", "version": "1"}
    assert (runs.count, heard.metrics["larnn.run.duration"].unit) == (3, "s")
    [steps] = heard.metrics["larnn.steps"].sum.data_points
    assert steps.as_double == 3
    assert heard.metrics["larnn.steps"].sum.is_monotonic


def test_without_the_variables_nothing_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENDPOINT, raising=False)
    assert otel.export(Metrics()) is otel.OFF
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert otel.export(Metrics()) is otel.OFF


def test_without_the_packages_the_service_says_so_and_serves(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setattr(otel, "_NEEDED", ("no_such_package.sdk",))
    with caplog.at_level(logging.WARNING):
        assert otel.export(Metrics()) is otel.OFF
    assert "pip install opentelemetry-sdk" in caplog.text


def test_a_collector_that_does_not_answer_harms_nobody(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with live.process(models=toy_models, model="toy") as service:
        body = json.dumps({"sequences": [[[1, 2]]]})
        answer = httpx.post(f"{service.url}/classify", content=body, timeout=60)
        assert answer.json()["version"] == 1
        assert service.stop() == 0
