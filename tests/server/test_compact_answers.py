"""Arrays in and out over plain HTTP, and JSON without probabilities: the same answers, smaller."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from larnn_service.contract import METADATA_KEY
from larnn_service.outputs import classes
from tests import live, many_outputs, toy
from tests.backend.test_model_repository import resign
from tests.carried import npy

NPY = "application/x-npy"
SENDS, ACCEPTS = {"Content-Type": NPY}, {"Accept": NPY}
STEPS = np.array([[1, -2], [3, 4], [0.5, -1], [2, -9], [1, 1]], np.float32)
TRUTH = many_outputs.expected(STEPS)
FURTHER = ["signs", "chance", "steps_seen", "grid"]
LABELS = [f"token {index:03}" for index in range(257)]


def publish_classifier(root: Path) -> None:
    """The toy with 257 labels: its sums, weighed."""
    own = toy.CONTRACT.model_copy(update={"outputs": classes(LABELS)})
    model = toy.graph(own)
    weights = np.random.default_rng(0).standard_normal((2, len(LABELS))).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weights, "weights"))
    model.graph.node[-1].CopyFrom(helper.make_node("MatMul", ["later", "weights"], ["logits"]))
    shape: list[str | int | None] = ["batch", "steps", len(LABELS)]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, shape)
    model.graph.output[0].CopyFrom(logits)
    helper.set_model_props(model, {METADATA_KEY: own.model_dump_json()})
    resign(toy.publish(root, "labels", contract=json.loads(own.model_dump_json())), model)


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("models")
    publish_classifier(root)
    for output in many_outputs.OUTPUTS:
        many_outputs.publish(root, output.name.replace("_", "-"), output.name)
    with live.running(models=root, model="sums") as url:
        yield url


def arrays(answer: httpx.Response) -> list[NDArray[Any]]:
    """All that the body holds, one file behind the other."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == NPY
    body, found = io.BytesIO(answer.content), []
    while body.tell() < len(answer.content):
        found.append(np.load(body, allow_pickle=False))
    return found


def open_stream(http: httpx.Client, model: str = "sums") -> str:
    return f"/streams/{http.post('/streams', json={'model': model}).json()['stream']}/steps"


@pytest.mark.parametrize("as_npy", [False, True])
def test_classify_answers_with_arrays(http: httpx.Client, as_npy: bool) -> None:
    batch = np.stack([STEPS[:2], STEPS[1:3]])
    if as_npy:
        query = {"outputs": ",".join(FURTHER)}
        headers = SENDS | ACCEPTS
        answer = http.post("/classify", params=query, headers=headers, content=npy(batch))
    else:
        body = {"sequences": batch.tolist(), "outputs": FURTHER}
        answer = http.post("/classify", headers=ACCEPTS, json=body)
    told = arrays(answer)
    assert (answer.headers["larnn-model"], answer.headers["larnn-version"]) == ("sums", "1")
    expected = [many_outputs.expected(sequence) for sequence in batch]
    assert len(told) == len(TRUTH)
    for name, array in zip(TRUTH, told, strict=True):
        assert array.dtype == TRUTH[name].dtype
        np.testing.assert_allclose(array, [each[name][-1] for each in expected], atol=1e-6)


def test_a_stream_takes_and_gives_arrays(http: httpx.Client) -> None:
    steps = open_stream(http)

    def send(start: int, end: int, **query: Any) -> httpx.Response:
        asked: dict[str, Any] = {"offset": start, "outputs": "steps_seen"} | query
        body = npy(STEPS[start:end])
        return http.post(steps, params=asked, headers=SENDS | ACCEPTS, content=body)

    def check(answer: httpx.Response, end: int, places: list[int]) -> None:
        sums, seen = arrays(answer)
        assert (answer.headers["larnn-position"], answer.headers["larnn-durable"]) == (
            str(end),
            str(end),
        )
        assert sums.tolist() == TRUTH["sums"][places].tolist()
        assert seen.tolist() == TRUTH["steps_seen"][places].tolist()

    check(send(0, 2), 2, [1])
    check(send(0, 2, emit="every"), 2, [0, 1])
    check(send(1, 4, emit=2, acked=0), 4, [1, 3])
    check(send(0, 5, emit=2), 5, [1, 3, 4])
    gap = send(4, 5, offset=9)
    assert (gap.status_code, gap.json()["expected_offset"]) == (409, 5)
    assert gap.headers["content-type"] == "application/problem+json"
    json_answer = http.post(steps, params={"offset": 4}, headers=SENDS, content=npy(STEPS[4:]))
    assert json_answer.json()["values"] == dict(
        zip(("left", "right"), TRUTH["sums"][4].tolist(), strict=True)
    )
    array = http.post(steps, headers=ACCEPTS, json={"offset": 4, "steps": STEPS[4:].tolist()})
    assert arrays(array)[0].tolist() == TRUTH["sums"][4:].tolist()


@pytest.mark.parametrize(
    ("query", "body", "code", "text"),
    [
        ("", npy(STEPS), "bad_message", "offset says how many steps come before"),
        ("offset=-1", npy(STEPS), "bad_message", "offset is a whole number"),
        ("offset=x", npy(STEPS), "bad_message", "offset is a whole number"),
        ("offset=0&acked=0.5", npy(STEPS), "bad_message", "acked is a whole number"),
        ("offset=0&emit=none", npy(STEPS), "bad_message", "emit is last, every"),
        (
            "offset=0&probabilities=no",
            npy(STEPS),
            "bad_message",
            "probabilities is true or false, not no",
        ),
        ("offset=0&explain=true", npy(STEPS), "bad_message", "carries no attention"),
        ("offset=0", npy(STEPS[None]), "bad_shape", "sums takes [steps, 2]"),
        ("offset=0", npy(STEPS[:, :1]), "bad_shape", "takes [steps, 2]"),
        ("offset=0", npy(STEPS[:0]), "empty_chunk", "at least one step"),
        ("offset=0", npy(np.zeros((1025, 2), np.float32)), "too_large", "1024"),
        ("offset=0", npy(np.full((1, 2), np.nan, np.float32)), "bad_value", "steps[0][0]"),
        ("offset=0", npy(STEPS)[:-1], "bad_shape", "39 bytes follow"),
        ("offset=0", b"{}", "bad_message", "not an npy file"),
    ],
)
def test_a_bad_array_is_refused_and_nothing_counts(
    http: httpx.Client, query: str, body: bytes, code: str, text: str
) -> None:
    steps = open_stream(http)
    answer = http.post(f"{steps}?{query}", headers=SENDS | ACCEPTS, content=body)
    assert answer.json()["code"] == code
    assert text in answer.json()["detail"]
    assert http.get(steps.removesuffix("/steps")).json()["position"] == 0


def test_json_leaves_probabilities_out_where_asked(http: httpx.Client, url: str) -> None:
    steps = STEPS[:2].tolist()
    full = http.post("/classify", json={"sequences": [steps], "model": "labels", "logits": True})
    [answer] = full.json()["predictions"]
    label, logits = {"label": answer["label"]}, {"logits": answer["logits"]}
    bare: dict[str, Any] = {"probabilities": False}
    body = {"sequences": [steps], "model": "labels"} | bare
    assert http.post("/classify", json=body).json()["predictions"] == [label]
    told = http.post("/classify", json=body | {"logits": True}).json()["predictions"]
    assert told == [label | logits]
    query = {"model": "labels", "probabilities": "false"}
    content = npy(STEPS[None, :2])
    told = http.post("/classify", params=query, headers=SENDS, content=content).json()
    assert told["predictions"] == [label]
    chunk = {"offset": 0, "steps": steps} | bare
    place = {"type": "prediction", "position": 2, "durable": 2}
    stream = open_stream(http, "labels")
    assert http.post(stream, json=chunk).json() == place | label
    asked: dict[str, Any] = {"offset": 0, "probabilities": "false", "logits": "true"}
    told = http.post(stream, params=asked, headers=SENDS, content=npy(STEPS[:2])).json()
    assert told == place | label | logits
    for address, message in (
        ("?model=labels&probabilities=false", {"type": "chunk", "offset": 0, "steps": steps}),
        ("?model=labels", {"type": "chunk"} | chunk),
    ):
        with connect(live.websocket_url(url) + address) as socket:
            socket.recv(timeout=60)
            socket.send(json.dumps(message))
            assert json.loads(socket.recv(timeout=60)) == place | label


@pytest.mark.parametrize(
    ("model", "more", "text"),
    [
        ("chance", {}, "nothing but probabilities to say of chance; ask for them"),
        ("signs", {}, "ask for them, or for logits"),
        ("signs", {"logits": True}, None),
        ("sums", {}, None),
        ("sums", {"outputs": ["grid"]}, None),
        ("sums", {"outputs": ["chance"]}, "to say of chance"),
    ],
)
def test_an_answer_that_would_say_nothing_is_refused(
    http: httpx.Client, model: str, more: dict[str, Any], text: str | None
) -> None:
    body = {"sequences": [STEPS.tolist()], "model": model, "probabilities": False} | more
    answer = http.post("/classify", json=body)
    if text is None:
        [told] = answer.json()["predictions"]
        assert told and "probabilities" not in told
    else:
        assert (answer.status_code, answer.json()["code"]) == (422, "bad_message")
        assert text in answer.json()["detail"]


def test_an_answer_of_257_numbers_is_about_a_kilobyte(http: httpx.Client, url: str) -> None:
    """What docs/protocol.md says of sizes."""
    stream = open_stream(http, "labels")
    as_json = http.post(stream, json={"offset": 0, "steps": STEPS[:1].tolist()})
    query = {"offset": 0}
    as_npy = http.post(stream, params=query, headers=SENDS | ACCEPTS, content=npy(STEPS[:1]))
    with connect(
        live.websocket_url(url) + "?model=labels", subprotocols=[Subprotocol("larnn.f32.v2")]
    ) as socket:
        socket.recv(timeout=60)
        socket.send(struct.pack("<2Q", 0, 0) + STEPS[:1].tobytes())
        frame = socket.recv(timeout=60)
    assert isinstance(frame, bytes)
    sizes = {"JSON": len(as_json.content), "npy": len(as_npy.content), "frame": len(frame)}
    assert (sizes["frame"], sizes["npy"]) == (24 + 4 * 257, 128 + 4 * 257)
    assert 8_800 < sizes["JSON"] < 9_100
    [logits] = arrays(as_npy)
    assert frame[24:] == logits.tobytes()
    label = as_json.json()["label"]
    assert label == LABELS[int(logits.argmax())]


def test_of_arrays_it_is_no_matter_whether_there_are_probabilities(http: httpx.Client) -> None:
    steps = open_stream(http, "signs")
    for query in ("offset=0&probabilities=false", "offset=0&probabilities=0&logits=1"):
        answer = http.post(f"{steps}?{query}", headers=SENDS | ACCEPTS, content=npy(STEPS))
        assert len(arrays(answer)) == 1
