"""No error repeats more than 200 characters of what a client sent, whatever the door and field."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx
import numpy as np
import pytest
from safetensors.numpy import save
from websockets.sync.client import connect

from larnn_service.contract import Channel, Input
from tests import live, toy, wide
from tests.server.test_stream import Talk

MOST = 200
LONG = "Z" * 3000
STEPS = [[1.0, 2.0]]
CHANNELS = [f"{'Z' * 50}{number}" for number in range(32)]
OPENED = ",".join(f"{name}=mg" for name in CHANNELS[:16])
OTHER = ",".join(f"{name}=mg" for name in CHANNELS[16:])
TURNED = ",".join(f"{name}=-{name}" for name in CHANNELS[:14])
"""Units and axes that a stream can have, of more than a thousand characters."""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("models")
    toy.publish(root)
    step = Input(channels=tuple(Channel(name=name, unit="g") for name in CHANNELS))
    wide.publish(root, "many", step)
    with live.running(models=root, model="toy") as url:
        yield url


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url, timeout=60) as client:
        yield client


def repeats_little(text: str) -> None:
    assert text.count("Z") <= MOST, text


def refused(answer: httpx.Response) -> None:
    assert 400 <= answer.status_code < 500, answer.text[:1000]
    assert answer.json()["code"] != "internal"
    repeats_little(answer.text)


def next_of(named: dict[str, str]) -> str:
    """The first name of them."""
    return next(iter(named))


def npy(descr: str) -> bytes:
    header = f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1, 1, 2), }}\n".encode()
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"\0" * 8


X = {"name": "x", "datatype": "FP32", "shape": [1, 1, 2], "data": [1, 2]}
NESTED = '{"%s": {"%s": {"%s": NaN}}}' % ((LONG[:150],) * 3)
BODIES: dict[str, list[Any]] = {
    "/classify": [
        *({"sequences": [STEPS], field: LONG} for field in ("model", "units", "axes", LONG)),
        *({"sequences": [STEPS], field: {LONG: 1}} for field in ("context", "outputs", "logits")),
        {"sequences": [STEPS], "outputs": [LONG]},
        {"sequences": [STEPS], "units": f"{LONG[:60]}=mg,{LONG[:60]}=g"},
        {"sequences": [STEPS], "axes": f"left={LONG},right=-{LONG}"},
        {"sequences": [[[LONG, LONG]]]},
        {"sequences": {LONG: LONG}},
        {"texts": [LONG]},
        NESTED,
        LONG,
    ],
    "/streams": [
        *({field: LONG} for field in ("model", "units", "axes", "version", LONG)),
        {"context": {LONG: LONG}},
        NESTED,
    ],
    "/streams/{}/steps": [
        *({"offset": 0, "steps": STEPS, field: LONG} for field in ("emit", "acked", LONG)),
        {"offset": 0, "steps": STEPS, "outputs": [LONG]},
        {"offset": 0, "text": LONG},
        {"offset": LONG, "steps": [[LONG]]},
    ],
    "/v2/models/toy/infer": [
        *({"inputs": [X | {field: LONG}]} for field in ("name", "datatype", "data")),
        *({"inputs": [X | {field: LONG[:100]}]} for field in ("name", "datatype")),
        {"inputs": [X | {"name": LONG[:100], "datatype": LONG[:100]}] * 3},
        {"inputs": [X | {"name": LONG[:100], "parameters": {"binary_data_size": LONG[:1000]}}]},
        {"inputs": [X], "outputs": [{"name": LONG[:100]}] * 5},
        *({"inputs": [X], "parameters": {name: LONG[:1000]}} for name in ("units", "axes")),
        {"inputs": [X], "parameters": {"sequence_id": LONG}},
        {"inputs": [X], "parameters": {"sequence_id": LONG[:128]}},
        NESTED,
    ],
    "/v2/repository/models/toy/load": [{"parameters": LONG}],
}


@pytest.mark.parametrize("path", BODIES)
def test_of_a_body(http: httpx.Client, path: str) -> None:
    stream = http.post("/streams").json()["stream"]
    for body in BODIES[path]:
        text = body if isinstance(body, str) else json.dumps(body)
        refused(http.post(path.format(stream), content=text))


@pytest.mark.parametrize(
    "path",
    [
        f"/{LONG}",
        f"/streams/{LONG}",
        f"/models/{LONG}/load",
        f"/v2/models/{LONG}",
        f"/v2/models/{LONG}/infer",
        f"/v2/models/toy/versions/{LONG}/infer",
        f"/v2/repository/models/{LONG}/load",
        f"/streams?units={LONG}",
        *(
            f"/classify?{name}={LONG}"
            for name in (
                *("logits", "outputs", "version", "model", "context", "units", "axes"),
                *("sample_rate_hz", "probabilities", "unsure", "emit"),
            )
        ),
    ],
)
def test_of_an_address(http: httpx.Client, path: str) -> None:
    body = io.BytesIO()
    np.save(body, np.ones((1, 1, 2), np.float32))
    headers = {"Content-Type": "application/x-npy"}
    for method in ("POST", "PATCH"):
        refused(http.request(method, path, content=body.getvalue(), headers=headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Encoding": LONG},
        {"Inference-Header-Content-Length": LONG},
        {"Host": LONG},
        {"Origin": f"https://{LONG}"},
        {"Idempotency-Key": LONG},
    ],
    ids=next_of,
)
def test_of_a_header(http: httpx.Client, headers: dict[str, str]) -> None:
    path = "/streams" if "Idempotency-Key" in headers else "/v2/models/toy/infer"
    refused(http.post(path, json={"inputs": [X]}, headers=headers))


@pytest.mark.parametrize("descr", [f"'{LONG}'", f"[('{LONG[:150]}', '<f4')]", f"'S{LONG[:9]}'"])
def test_of_an_array(http: httpx.Client, descr: str) -> None:
    headers = {"Content-Type": "application/x-npy"}
    refused(http.post("/classify", content=npy(descr), headers=headers))


def test_of_a_state(http: httpx.Client) -> None:
    stream = http.post("/streams").json()["stream"]
    good: dict[str, Any] = {"total": np.zeros((1, 2), np.float32), "seen": np.zeros(1, np.int64)}
    metadata = {"model": "toy", "version": "1", "position": "0"}
    for name in metadata:
        refused(http.put(f"/streams/{stream}/state", content=save(good, metadata | {name: LONG})))
    for tensors in ({LONG: good["total"]}, {LONG: good["seen"], "total": good["total"]}):
        refused(http.put(f"/streams/{stream}/state", content=save(tensors, metadata)))


@pytest.mark.parametrize(
    "query",
    [
        *({name: LONG} for name in ("stream", "model", "version", "units", "axes", "emit")),
        *({name: LONG} for name in ("logits", "explain", "context", "sample_rate_hz")),
    ],
    ids=next_of,
)
def test_of_the_address_of_a_websocket(url: str, query: dict[str, str]) -> None:
    with connect(f"{live.websocket_url(url)}?{urlencode(query)}") as socket:
        told = Talk(socket).hear()
    assert told["type"] == "error"
    repeats_little(json.dumps(told))


def test_of_a_message(url: str) -> None:
    with connect(live.websocket_url(url)) as socket:
        talk = Talk(socket)
        talk.hear()
        for message in (
            {"type": LONG},
            {"type": "end", LONG: LONG},
            *(
                json.loads(json.dumps(body)) | {"type": "chunk"}
                for body in BODIES["/streams/{}/steps"]
            ),
        ):
            told = talk.say(message)
            assert told["type"] == "error"
            repeats_little(json.dumps(told))


@pytest.mark.parametrize(
    "said", [{"units": OTHER}, {"axes": TURNED}, {"units": OTHER, "axes": TURNED}]
)
def test_of_what_a_stream_was_opened_with(
    http: httpx.Client, url: str, said: dict[str, str]
) -> None:
    """Its own words are a client's, too."""
    stream = http.post("/streams", json={"model": "many", "units": OPENED}).json()
    assert len(stream["units"]) > 600
    steps = {"offset": 0, "steps": [[0.0] * len(CHANNELS)]}
    refused(http.post(f"/streams/{stream['stream']}/steps", json=steps, params=said))
    query = urlencode({"stream": stream["stream"]} | said)
    with connect(f"{live.websocket_url(url)}?{query}") as socket:
        told = Talk(socket).hear()
    assert told["code"] == "conflict"
    repeats_little(told["detail"])
    x = {"name": "x", "datatype": "FP32", "shape": [1, 1, 32], "data": [0] * 32}
    cut = {name: text[:1000].rpartition(",")[0] for name, text in said.items()}
    begun = {"sequence_start": True, "units": OPENED[:1000].rpartition(",")[0]}
    for parameters in (begun, cut):
        body = {"inputs": [x], "parameters": {"sequence_id": 1} | parameters}
        inferred = http.post("/v2/models/many/infer", json=body)
    assert inferred.status_code == 409
    refused(inferred)
    key = {"Idempotency-Key": json.dumps(said)[:99]}
    http.post("/streams", json={"model": "many", "units": OPENED}, headers=key)
    refused(http.post("/streams", json={"model": "many"} | said, headers=key))
