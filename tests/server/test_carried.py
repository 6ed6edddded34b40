"""A network with state of every type and with context, at every door."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest
from safetensors.numpy import load, save
from websockets.sync.client import connect

from larnn_service.wire.large_json import LARGE
from tests import carried, live, toy
from tests.server.test_stream import Talk

STEPS = np.array([[1], [0], [3], [2]], np.float32)
CONTEXT = {"gain": 0.5, "shift": [1, 2], "upside_down": True}
ANSWER, SUMS = carried.expected(STEPS, 0.5, [1.0, 2.0], upside_down=True)
BY_DEFAULT = carried.expected(STEPS, 2)[0]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    carried.publish(root)
    toy.publish(root)
    return root


@contextlib.contextmanager
def served(models: Path, **settings: Any) -> Iterator[httpx.Client]:
    with (
        live.running(models=models, model="carried", **settings) as url,
        httpx.Client(base_url=url, timeout=60) as http,
    ):
        yield http


@pytest.fixture(scope="module")
def http(models: Path) -> Iterator[httpx.Client]:
    with served(models) as http:
        yield http


def steps(http: httpx.Client, stream: str, first: int, last: int) -> list[float]:
    """The answer after these of the steps."""
    chunk = {"offset": first, "steps": STEPS[first:last].tolist(), "outputs": ["told"]}
    told = http.post(f"/streams/{stream}/steps", json=chunk).json()
    assert told["outputs"]["told"]["output"] == SUMS[last - 1].tolist(), told
    answer: list[float] = told["output"]
    return answer


def opened(http: httpx.Client, **headers: str) -> str:
    answer = http.post("/streams", json={"context": CONTEXT}, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["stream"])


def test_models_tell_of_it(http: httpx.Client) -> None:
    served = {model["name"]: model for model in http.get("/models").json()["models"]}
    assert served["toy"]["context"] == []
    gain, shift, upside_down = served["carried"]["context"]
    assert gain == {"name": "gain", "shape": [], "dtype": "float32", "description": "of the sum"}
    assert (shift["shape"], shift["default"]["file"]) == ([2], "shift.npy")
    assert upside_down["default"] == 0
    assert {tensor["dtype"] for tensor in served["carried"]["state"]} == {*carried.TYPES}


@pytest.mark.parametrize("large", [False, True])
def test_classify_takes_it_beside_the_sequences(http: httpx.Client, large: bool) -> None:
    asked = {"sequences": [STEPS.tolist(), STEPS[:2].tolist()], "context": CONTEXT}
    text = json.dumps(asked | {"outputs": ["told"]})
    text = text.replace("[[[", "[[" + " " * LARGE * large + "[")
    first, second = http.post("/classify", content=text).json()["predictions"]
    assert (first["output"], second["output"]) == (ANSWER[-1].tolist(), ANSWER[1].tolist())
    assert first["outputs"]["told"]["output"] == SUMS[-1].tolist()
    body = io.BytesIO()
    np.save(body, STEPS[None])
    npy, params = {"Content-Type": "application/x-npy"}, {"context": json.dumps(CONTEXT)}
    told = http.post("/classify", content=body.getvalue(), headers=npy, params=params).json()
    assert told["predictions"][0]["output"] == ANSWER[-1].tolist()
    asked["context"] = {"gain": 2}
    told = http.post("/classify", json=asked).json()
    assert told["predictions"][0]["output"] == BY_DEFAULT[-1].tolist()


@pytest.mark.parametrize(
    ("context", "code", "says"),
    [
        ({}, "bad_message", "context gain: missing; carried needs float32 []"),
        ({"gain": 1, "pitch": 2}, "bad_message", "context pitch: carried has no such context"),
        ({"gain": [1]}, "bad_shape", "got `array`; send float32 []"),
        (
            {"gain": 1, "shift": [1, 2, 3]},
            "bad_shape",
            "context shift: shape [3]; send float32 [2]",
        ),
        (
            {"gain": 1, "shift": [[1], [2, 3]]},
            "bad_shape",
            "got `array` - at `$[0]`; send float32 [2]",
        ),
        ({"gain": 1, "shift": [1] * 999}, "bad_shape", "context shift: more than the numbers"),
        ({"gain": "loud"}, "bad_value", "context gain: Expected `float`"),
        ({"gain": True}, "bad_value", "got `bool`; send float32 []"),
        ({"gain": None}, "bad_message", "gain"),
        ({"gain": 1e39}, "bad_value", "context gain: every value is a finite float32"),
        ({"gain": 1, "upside_down": 1}, "bad_value", "Expected `bool`, got `int`"),
        ([1], "bad_message", "context"),
    ],
)
def test_what_does_not_fit_is_refused_at_every_door(
    http: httpx.Client, context: Any, code: str, says: str
) -> None:
    address = f"{live.websocket_url(str(http.base_url).rstrip('/'))}?context="
    with connect(address + quote(json.dumps(context))) as socket:
        refused = Talk(socket).hear()
    assert (refused["type"], refused["code"]) == ("error", code)
    assert says.removeprefix("context") in refused["detail"]
    for path, body in (("/streams", {}), ("/classify", {"sequences": [STEPS.tolist()]})):
        answer = http.post(path, json=body | {"context": context}).json()
        assert (answer["code"], says in answer["detail"]) == (code, True), answer


def test_a_model_without_context_takes_none(http: httpx.Client) -> None:
    answer = http.post("/streams", json={"model": "toy", "context": {"gain": 1}}).json()
    assert "context gain: toy has no such context; it takes none" in answer["detail"]
    odd = http.post(
        "/classify?context={", content=b"", headers={"Content-Type": "application/x-npy"}
    )
    assert odd.json()["code"] in ("bad_json", "bad_message")


def test_a_websocket_gives_it_in_its_address_and_resumes_with_it(http: httpx.Client) -> None:
    address = live.websocket_url(str(http.base_url).rstrip("/"))
    with connect(f"{address}?context={quote(json.dumps(CONTEXT))}") as socket:
        talk = Talk(socket)
        stream = talk.hear()["stream"]
        assert talk.chunk(0, STEPS[:1].tolist())["output"] == ANSWER[0].tolist()
    with connect(f"{address}?stream={stream}") as socket:
        talk = Talk(socket)
        talk.hear()
        assert talk.chunk(1, STEPS[1:].tolist())["output"] == ANSWER[-1].tolist()


def test_a_fork_and_a_state_file_have_it(http: httpx.Client) -> None:
    stream = opened(http)
    assert steps(http, stream, 0, 2) == ANSWER[1].tolist()
    fork = http.post(f"/streams/{stream}/fork").json()["stream"]
    assert steps(http, fork, 2, 4) == ANSWER[3].tolist()
    file = http.get(f"/streams/{stream}/state").content
    tensors = load(file)
    assert tensors["gain"].tolist() == [0.5]
    assert tensors["sum_bfloat16"].dtype == np.uint16
    other = http.post("/streams", json={"context": {"gain": 7}}).json()["stream"]
    assert http.put(f"/streams/{other}/state", content=file).status_code == 200
    assert steps(http, other, 2, 4) == ANSWER[3].tolist()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("gain", np.array([np.inf], np.float32), "bad_value"),
        ("shift", np.zeros((1, 3), np.float32), "bad_shape"),
        ("seen", np.array([[2]], np.uint8).view(bool), "bad_value"),
        ("sum_bfloat16", np.full((1, 2, 2), 0x7F80, np.uint16), "bad_value"),
        ("sum_float16", np.full((1, 2, 2), np.nan, np.float16), "bad_value"),
        ("sum_uint8", np.zeros(1, np.int8), "bad_value"),
        ("gain", None, "bad_message"),
    ],
)
def test_a_state_file_that_does_not_fit_is_refused(
    http: httpx.Client, name: str, value: Any, code: str
) -> None:
    stream = opened(http)
    file = http.get(f"/streams/{stream}/state").content
    tensors = {key: tensor for key, tensor in load(file).items() if key != name}
    if value is not None:
        tensors[name] = value
    size = int.from_bytes(file[:8], "little")
    metadata = json.loads(file[8 : 8 + size])["__metadata__"]
    refused = http.put(f"/streams/{stream}/state", content=save(tensors, metadata)).json()
    assert (refused["code"], name in refused["detail"]) == (code, True), refused


def test_an_idempotent_opening_binds_it(http: httpx.Client) -> None:
    headers = {"Idempotency-Key": "once"}
    stream = opened(http, **headers)
    assert opened(http, **headers) == stream
    other = http.post("/streams", json={"context": {"gain": 7}}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    assert "another context" in other.json()["detail"]


def test_it_outlives_a_restart(models: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/streams.db"
    with served(models, store=store) as http:
        stream = opened(http, **{"Idempotency-Key": "once"})
        assert steps(http, stream, 0, 2) == ANSWER[1].tolist()
    with served(models, store=store) as http:
        assert opened(http, **{"Idempotency-Key": "once"}) == stream
        assert steps(http, stream, 2, 4) == ANSWER[3].tolist()


def test_an_idempotent_opening_of_a_version_without_context_is_a_conflict(tmp_path: Path) -> None:
    carried.publish(tmp_path)
    headers, store = {"Idempotency-Key": "once"}, f"sqlite:///{tmp_path}/streams.db"
    with served(tmp_path, store=store) as http:
        opened(http, **headers)
    toy.publish(tmp_path, "carried", 2)
    with served(tmp_path, store=store) as http:
        again = http.post("/streams", json={}, headers=headers)
    assert (again.status_code, again.json()["code"]) == (409, "conflict"), again.text


def test_an_idempotent_opening_of_a_stream_that_has_ended_is_that_stream(
    http: httpx.Client,
) -> None:
    headers = {"Idempotency-Key": "ended"}
    stream = opened(http, **headers)
    with connect(f"{live.websocket_url(str(http.base_url).rstrip('/'))}?stream={stream}") as talk:
        talk.recv(30)
        talk.send('{"type": "end"}')
        talk.recv(30)
    assert opened(http, **headers) == stream
