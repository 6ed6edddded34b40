"""Statistics of a model: what clients did, over every endpoint that runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton_grpc
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException
from websockets.sync.client import connect

from tests import live, toy
from tests.oip.chunks import WINDOW
from tests.oip.grpc_client import x_of
from tests.server.test_metrics import sample

STEPS = [[1.0, 2.0], [3.0, 4.0]]
NOTHING = {"count": 0, "ns": 0}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Process]:
    root = tmp_path_factory.mktemp("models")
    for version in (1, 2):
        toy.publish(root, version=version)
    toy.publish(root, "another")
    with live.process(models=root, model="toy", versions=2, grpc_port=0) as process:
        yield process


@pytest.fixture(scope="module")
def http(service: live.Process) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=120) as client:
        yield client


def stats(http: httpx.Client, path: str) -> dict[str, dict[str, Any]]:
    """By version."""
    answer = http.get(path)
    assert answer.status_code == 200, answer.text
    return {each["version"]: each for each in answer.json()["model_stats"]}


def test_every_way_to_run_a_model_is_counted(service: live.Process, http: httpx.Client) -> None:
    x = {"name": "x", "datatype": "FP32", "shape": [2, 2, 2], "data": [STEPS, STEPS]}
    infer = "/v2/models/toy/versions/1/infer"
    assert http.post(infer, json={"inputs": [x]}).is_success
    for start in (True, False):
        part = {"sequence_id": 7, "sequence_start": start, "sequence_end": not start}
        body = {"inputs": [x | {"shape": [1, 2, 2], "data": STEPS}], "parameters": part}
        assert http.post(infer, json=body).is_success
    assert http.post(infer, json={"inputs": [x | {"shape": [2, 2, 3]}]}).status_code == 400
    assert http.post("/classify", json={"sequences": [STEPS] * 3, "version": 1}).is_success
    stream = http.post("/streams", json={"version": 1}).json()["stream"]
    chunk = {"offset": 0, "steps": STEPS}
    assert http.post(f"/streams/{stream}/steps", json=chunk).is_success
    with connect(live.websocket_url(service.url) + f"?stream={stream}") as socket:
        socket.recv(timeout=60)
        socket.send(json.dumps({"type": "chunk", "offset": 2, "steps": STEPS}))
        assert json.loads(socket.recv(timeout=60))["position"] == 4
    with triton_grpc.InferenceServerClient(service.grpc) as client:
        client.infer("toy", [x_of(np.array([WINDOW], np.float32))], "1", client_timeout=60)
    # 1 whole batch of 2, 2 parts, 1 refused, 1 batch of 3, 2 chunks, 1 over gRPC.
    [one, two] = stats(http, "/v2/models/toy/stats").values()
    assert (one["name"], one["version"], two["version"]) == ("toy", "1", "2")
    told = one["inference_stats"]
    assert (told["success"]["count"], told["fail"]["count"]) == (7, 1)
    assert one["inference_count"] == told["queue"]["count"] == 2 + 2 + 3 + 2 + 1
    runs = one["execution_count"]
    assert 7 <= runs <= 10
    for name in ("compute_input", "compute_infer", "compute_output"):
        assert told[name]["count"] == runs
    assert told["compute_input"]["ns"] == told["compute_output"]["ns"] == 0
    assert told["cache_hit"] == told["cache_miss"] == NOTHING
    assert told["success"]["ns"] > 0
    assert told["fail"]["ns"] > 0
    for metric, name in (("run", "compute_infer"), ("queue", "queue")):
        seconds = sample(http, f"larnn_{metric}_duration_seconds_sum", model="toy", version="1")
        assert told[name]["ns"] == round(seconds * 1e9)
    assert two["inference_count"] == two["execution_count"] == 0
    assert two["inference_stats"]["success"] == NOTHING


def test_it_is_told_of_one_version_of_a_model_and_of_all(
    service: live.Process, http: httpx.Client
) -> None:
    both = stats(http, "/v2/models/toy/stats")
    for version in ("1", "2"):
        [only] = stats(http, f"/v2/models/toy/versions/{version}/stats").values()
        assert only == both[version]
    every = http.get("/v2/models/stats").json()["model_stats"]
    assert {(each["name"], each["version"]) for each in every} == {
        ("toy", "1"),
        ("toy", "2"),
        ("another", "1"),
    }
    assert http.get("/v2/models/none/stats").status_code == 404
    assert http.get("/v2/models/toy/versions/9/stats").status_code == 404
    client = triton.InferenceServerClient(service.url.removeprefix("http://"))
    assert "statistics" in client.get_server_metadata()["extensions"]
    assert client.get_inference_statistics("toy", "2")["model_stats"] == [both["2"]]
    client.close()


def test_grpc_tells_the_same(service: live.Process, http: httpx.Client) -> None:
    with triton_grpc.InferenceServerClient(service.grpc) as client:
        [one] = client.get_inference_statistics("toy", "1").model_stats
        every = client.get_inference_statistics().model_stats
        with pytest.raises(InferenceServerException, match="no such model"):
            client.get_inference_statistics("none")
    [told] = stats(http, "/v2/models/toy/versions/1/stats").values()
    assert (one.name, one.version) == ("toy", "1")
    assert one.inference_count == told["inference_count"]
    assert one.execution_count == told["execution_count"]
    for part, duration in told["inference_stats"].items():
        own = getattr(one.inference_stats, part)
        assert (own.count, own.ns) == (duration["count"], duration["ns"])
    assert len(every) == 3
