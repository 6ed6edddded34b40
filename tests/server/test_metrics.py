"""GET /metrics of a running service: what clients did is what it counts."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from tests import live, toy
from tests.server.test_access import KEYS, PHONE, bearer
from tests.server.test_stream import Talk

PROMTOOL = shutil.which("promtool")
WINDOW = [[1.0, 2.0], [3.0, 4.0]]


@pytest.fixture
def watched(own_models: Path) -> Iterator[httpx.Client]:
    """A service that nobody else asks."""
    with (
        live.running(models=own_models, model="toy", request_timeout=600, max_streams=2) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client


def sample(client: httpx.Client, name: str, **labels: str) -> float:
    """The value of the one sample with these labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    [value] = [
        sample.value
        for family in families
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]
    return value


def test_requests_by_door_model_and_status(watched: httpx.Client) -> None:
    for sequences in ([WINDOW], [WINDOW, WINDOW]):
        watched.post("/classify", json={"sequences": sequences})
    watched.post("/classify", json={"sequences": [[[1]]]})
    watched.get("/streams/made-up")
    watched.get("/nowhere/at/all")
    name = "larnn_http_request_duration_seconds_count"
    assert sample(watched, name, door="/classify", model="toy", status="200") == 2
    assert sample(watched, name, door="/classify", status="422") == 1
    assert sample(watched, name, door="/streams/{stream_id}", status="404") == 1
    assert sample(watched, name, door="none", status="404") == 1
    assert sample(watched, "larnn_errors_total", door="/classify", code="bad_shape") == 1
    assert sample(watched, "larnn_errors_total", code="unknown") == 1


def test_queue_runs_and_batches(watched: httpx.Client) -> None:
    of_toy = {"model": "toy", "version": "1"}
    watched.post("/classify", json={"sequences": [WINDOW]})  # what nothing has run on is not told
    before = sample(watched, "larnn_steps_total", **of_toy)
    waited = sample(watched, "larnn_queue_duration_seconds_count", **of_toy)
    rows = sample(watched, "larnn_run_rows_sum", **of_toy)
    watched.post("/classify", json={"sequences": [WINDOW] * 3})
    assert sample(watched, "larnn_steps_total", **of_toy) == before + 6
    assert sample(watched, "larnn_queue_duration_seconds_count", **of_toy) == waited + 3
    assert sample(watched, "larnn_run_rows_sum", **of_toy) == rows + 3
    runs = sample(watched, "larnn_run_rows_count", **of_toy)
    assert sample(watched, "larnn_run_duration_seconds_count", **of_toy) == runs
    assert sample(watched, "larnn_waiting_steps", **of_toy) == 0
    info = {"provider": "CPUExecutionProvider", "serving": "true"}
    assert sample(watched, "larnn_model_info", **of_toy, **info) == 1
    assert sample(watched, "larnn_ready") == 1


def test_streams_and_their_memory(watched: httpx.Client) -> None:
    url = live.websocket_url(str(watched.base_url).rstrip("/"))
    with connect(url) as socket:
        talk = Talk(socket)
        talk.hear()
        talk.chunk(0, WINDOW)
        talk.chunk(9, WINDOW)
        assert sample(watched, "larnn_connections") == 1
        assert sample(watched, "larnn_streams", model="toy") == 1
        assert sample(watched, "larnn_state_bytes", model="toy") == 2 * 4 + 8 + 2 * 3 * 4
        watched.post("/streams")
        assert watched.post("/streams").status_code == 503
        socket.send('{"type": "end"}')
        talk.hear()
    opened = watched.get("/metrics").text
    for event, count in (("opened", 2), ("refused", 1), ("ended", 1)):
        assert sample(watched, "larnn_stream_events_total", event=event) == count, opened
    assert sample(watched, "larnn_chunk_duration_seconds_count", door="/stream", model="toy") == 1
    assert sample(watched, "larnn_errors_total", door="/stream", code="gap") == 1
    assert sample(watched, "larnn_errors_total", door="/streams", code="full") == 1
    assert sample(watched, "larnn_checkpoint_duration_seconds_count", outcome="saved") >= 2


def test_a_sequence_that_ends_is_a_stream_that_ended(watched: httpx.Client) -> None:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 1, 2], "data": [1, 2]}
    for part in ({"sequence_start": True}, {"sequence_end": True}):
        parameters = {"sequence_id": 7, **part}
        asked = {"inputs": [tensor], "parameters": parameters}
        assert watched.post("/v2/models/toy/infer", json=asked).status_code == 200
    for event in ("opened", "ended"):
        assert sample(watched, "larnn_stream_events_total", event=event) == 1


def test_loads_are_counted(watched: httpx.Client, own_models: Path) -> None:
    watched.post("/models/toy/load")
    (toy.publish(own_models, version=2) / "model.onnx").unlink()
    watched.post("/models/toy/load")
    for outcome in ("loaded", "refused"):
        assert sample(watched, "larnn_model_loads_total", model="toy", outcome=outcome) == 1


def test_no_stream_and_no_path_is_told(watched: httpx.Client) -> None:
    stream = watched.post("/streams").json()["stream"]
    watched.get(f"/streams/{stream}")
    watched.get(f"/{stream}")
    watched.get(f"/streams/{stream}/{stream}")
    assert stream not in watched.get("/metrics").text


def test_metrics_need_a_key_where_doors_do(own_models: Path) -> None:
    with live.running(models=own_models, model="toy", api_keys=KEYS) as url:
        assert httpx.get(f"{url}/metrics", timeout=60).status_code == 401
        assert httpx.get(f"{url}/metrics", headers=bearer(PHONE), timeout=60).status_code == 200


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed")
def test_promtool_finds_nothing_to_say(watched: httpx.Client) -> None:
    watched.post("/classify", json={"sequences": [WINDOW]})
    watched.get("/nowhere")
    assert PROMTOOL is not None
    text = watched.get("/metrics").text
    found = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True
    )
    assert (found.returncode, found.stderr) == (0, "")
