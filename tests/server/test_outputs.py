"""A network with outputs of every task, at every door: what is told follows the task."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from safetensors.numpy import load
from tritonclient import grpc as triton
from tritonclient.utils import triton_to_np_dtype
from websockets.sync.client import connect

from tests import live, many_outputs
from tests.oip.grpc_client import x_of
from tests.server.test_stream import Talk

STEPS = np.array([[1, -2], [3, 4], [0.5, -1], [2, -9]], np.float32)
TRUTH = many_outputs.expected(STEPS)
LEFT, RIGHT = TRUTH["sums"][-1].tolist()
FURTHER = ["signs", "chance", "steps_seen", "grid"]
TOLD = {
    "values": {"left": LEFT, "right": RIGHT},
    "outputs": {
        "signs": {"probabilities": {"LEFT": 0.9985, "RIGHT": 0.00034}},
        "chance": {"probabilities": {"LEFT": 0.9985, "RIGHT": 0.00034}},
        "steps_seen": {"output": 4},
        "grid": {"output": [[LEFT], [RIGHT]]},
    },
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for output in many_outputs.OUTPUTS:
        many_outputs.publish(root, output.name.replace("_", "-"), output.name)
    return root


@pytest.fixture(scope="module")
def url(models: Path) -> Iterator[str]:
    with live.running(models=models, model="sums") as url:
        yield url


def rounded(value: Any) -> Any:
    """With two digits that count, as TOLD has them."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return float(f"{value:.2g}") if isinstance(value, float) else value


def same(told: dict[str, Any]) -> bool:
    return bool(rounded({key: told.get(key) for key in TOLD}) == rounded(TOLD))


def test_classify_answers_with_all_that_is_asked_for(http: httpx.Client) -> None:
    body = {"sequences": [STEPS.tolist()], "outputs": FURTHER}
    [told] = http.post("/classify", json=body).json()["predictions"]
    assert same(told)
    assert told.keys() == TOLD.keys()
    [plain] = http.post("/classify", json={"sequences": [STEPS.tolist()]}).json()["predictions"]
    assert plain == {"values": TOLD["values"]}


@pytest.mark.parametrize("binary", [False, True])
def test_a_stream_answers_step_by_step(url: str, binary: bool) -> None:
    address = live.websocket_url(url) + "?emit=every&outputs=" + ",".join(FURTHER)
    protocols: Any = ["larnn.f32.v1"] if binary else None
    with connect(address, compression=None, subprotocols=protocols) as socket:
        talk = Talk(socket)
        opened = talk.hear()
        assert [output["task"] for output in opened["outputs"]] == [
            output.task for output in many_outputs.OUTPUTS
        ]
        assert (opened["labels"], opened["outputs"][0]["values"][1]) == (
            [],
            {"name": "right", "unit": "g"},
        )
        if binary:
            told = talk.say(struct.pack("<Q", 0) + STEPS.tobytes())
        else:
            talk.chunk(0, STEPS[:1].tolist())
            told = talk.chunk(1, STEPS[1:].tolist(), acked=0)
        assert same(told)
        steps = told["predictions"]
        sums = [[step["values"]["left"], step["values"]["right"]] for step in steps]
        assert sums == TRUTH["sums"][-len(steps) :].tolist()
        assert [step["outputs"]["steps_seen"]["output"] for step in steps][-1] == 4
        again = talk.say(struct.pack("<Q", 0) + STEPS.tobytes()) if binary else told
        assert again["predictions"] == steps


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("signs", {"probabilities"}),
        ("chance", {"probabilities"}),
        ("steps-seen", {"output"}),
        ("grid", {"output"}),
    ],
)
def test_any_output_may_be_the_answer(http: httpx.Client, model: str, answer: set[str]) -> None:
    opened = http.post("/streams", json={"model": model}).json()
    steps = f"/streams/{opened['stream']}/steps"
    told = http.post(steps, json={"offset": 0, "steps": STEPS.tolist()}).json()
    assert told.keys() - {"type", "position", "durable"} == answer
    asked = {"offset": 0, "steps": STEPS.tolist(), "outputs": ["sums"]}
    assert http.post(steps, json=asked).json()["outputs"] == {"sums": {"values": TOLD["values"]}}


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"logits": True}, "sums has no logits: it answers with values, as they come"),
        ({"outputs": ["state"]}, "no further output state; it gives signs, chance, steps_seen"),
        ({"outputs": ["sums"]}, "no further output sums"),
        ({"outputs": ["x" * 5000]}, "no further output x"),
        ({"outputs": "signs"}, "outputs"),
        ({"outputs": ["signs"] * 65}, "outputs: Expected `array` of length <= 64"),
    ],
)
def test_what_the_model_does_not_give_is_refused(
    http: httpx.Client, asked: dict[str, Any], text: str
) -> None:
    stream = http.post("/streams", json={}).json()["stream"]
    chunk = {"offset": 0, "steps": STEPS.tolist(), **asked}
    answers = [
        http.post("/classify", json={"sequences": [STEPS.tolist()], **asked}),
        http.post(f"/streams/{stream}/steps", json=chunk),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_message")
        assert text in answer.json()["detail"]
        assert len(answer.content) < 1000
    assert http.get(f"/streams/{stream}").json()["position"] == 0


def test_tags_have_logits(http: httpx.Client) -> None:
    body = {"sequences": [STEPS.tolist()], "model": "signs", "logits": True}
    [told] = http.post("/classify", json=body).json()["predictions"]
    assert told["logits"] == [LEFT, RIGHT]


def test_a_streams_state_takes_every_output_along(http: httpx.Client) -> None:
    one, other = (http.post("/streams", json={}).json()["stream"] for _ in range(2))
    chunk = {"offset": 0, "steps": STEPS.tolist(), "acked": 0, "outputs": FURTHER}
    told = http.post(f"/streams/{one}/steps", json=chunk).json()
    file = http.get(f"/streams/{one}/state").content
    tensors = load(file)
    for name, truth in TRUTH.items():
        np.testing.assert_allclose(tensors[name][0], truth, atol=1e-6)
        assert tensors[name].dtype == truth.dtype
    assert http.put(f"/streams/{other}/state", content=file).json()["position"] == len(STEPS)
    fork = http.post(f"/streams/{other}/fork").json()["stream"]
    for stream in (other, fork):  # the answers before, from what was kept
        again = http.post(f"/streams/{stream}/steps", json=chunk).json()
        assert again["outputs"] == told["outputs"]


def test_the_list_of_models_tells_the_outputs(http: httpx.Client) -> None:
    models = {model["name"]: model for model in http.get("/models").json()["models"]}
    assert [output["name"] for output in models["grid"]["outputs"]][0] == "grid"
    assert models["sums"]["outputs"][0]["values"] == [
        {"name": "left", "unit": "g"},
        {"name": "right", "unit": "g"},
    ]


@pytest.mark.parametrize("binary", [False, True])
def test_open_inference_gives_each_output_as_a_tensor(http: httpx.Client, binary: bool) -> None:
    metadata = http.get("/v2/models/sums").json()
    body: dict[str, Any] = {
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [1, 4, 2], "data": STEPS.ravel().tolist()}
        ],
        "parameters": {"binary_data_output": binary},
    }
    answer = http.post("/v2/models/sums/infer", json=body)
    head, place = answer.content, 0
    if binary:
        place = int(answer.headers["inference-header-content-length"])
        head = answer.content[:place]
    outputs = json.loads(head)["outputs"]
    assert [output["name"] for output in outputs] == [o["name"] for o in metadata["outputs"]]
    for output, described in zip(outputs, metadata["outputs"], strict=True):
        assert (output["datatype"], len(output["shape"])) == (
            described["datatype"],
            len(described["shape"]),
        )
        dtype = np.dtype(triton_to_np_dtype(output["datatype"]))
        if binary:
            size = output["parameters"]["binary_data_size"]
            array = np.frombuffer(answer.content[place : place + size], dtype)
            place += size
        else:
            array = np.array(output["data"], dtype)
        truth = TRUTH[output["name"]]
        np.testing.assert_allclose(array.reshape(output["shape"])[0], truth, atol=1e-6)
    body["outputs"] = [{"name": "grid"}]
    told = http.post("/v2/models/sums/infer", json=body | {"parameters": {}}).json()
    assert [output["name"] for output in told["outputs"]] == ["grid"]
    body["outputs"] = [{"name": "state"}]
    refused = http.post("/v2/models/sums/infer", json=body)
    assert (refused.status_code, "sums, signs, chance" in refused.text) == (400, True)


def test_so_does_grpc(models: Path) -> None:
    with live.process(models=models, model="sums", grpc_port=0) as process:
        client = triton.InferenceServerClient(process.grpc)
        answer = client.infer("sums", [x_of(STEPS[None])], client_timeout=60)
        [grid] = (
            client.infer("sums", [x_of(STEPS[None])], outputs=[triton.InferRequestedOutput("grid")])
            .get_response()
            .outputs
        )
        client.close()
    assert grid.name == "grid"
    assert [output.name for output in answer.get_response().outputs] == [*TRUTH]
    for name, truth in TRUTH.items():
        array = answer.as_numpy(name)
        assert array.dtype == truth.dtype
        np.testing.assert_allclose(array[0], truth, atol=1e-6)


def test_what_was_answered_before_a_restart_is_answered_again(models: Path, tmp_path: Path) -> None:
    settings = {"models": models, "model": "sums", "store": f"sqlite:///{tmp_path}/streams.db"}
    chunk = {"offset": 0, "steps": STEPS.tolist(), "acked": 0, "outputs": FURTHER}
    with live.running(**settings) as url, httpx.Client(base_url=url, timeout=60) as http:
        stream = http.post("/streams", json={}).json()["stream"]
        told = http.post(f"/streams/{stream}/steps", json=chunk).json()
        assert same(told)
    with live.running(**settings) as url, httpx.Client(base_url=url, timeout=60) as http:
        again = http.post(f"/streams/{stream}/steps", json=chunk).json()
        assert again == told
