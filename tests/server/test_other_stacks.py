"""What clients of other languages and balancers send: null, a mark, gzip, HEAD, raw tensors."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from tests import live
from tests.server.raw import connected, request, until_closed
from tests.server.test_stream import Talk

WINDOW: dict[str, Any] = {"sequences": [[[1, 2]]]}
TENSOR = {"name": "x", "datatype": "FP32", "shape": [1, 1, 2], "data": [1, 2]}
INFER: dict[str, Any] = {"inputs": [TENSOR]}
OPTIONAL = {
    "/classify": ("texts", "model", "version", "logits", "outputs", "probabilities", "context"),
    "/streams": ("model", "version", "context"),
    "/v2/models/toy/infer": ("id", "parameters", "outputs"),
    "/v2/repository/index": ("ready",),
    "/models/toy/load": ("version",),
}
BODIES = {"/classify": WINDOW, "/v2/models/toy/infer": INFER}


@pytest.mark.parametrize(
    ("path", "field"), [(path, field) for path, fields in OPTIONAL.items() for field in fields]
)
def test_null_for_an_optional_field_is_its_absence(
    client: httpx.Client, path: str, field: str
) -> None:
    body = BODIES.get(path, {})
    plain, null = (client.post(path, json=sent).json() for sent in (body, body | {field: None}))
    assert "code" not in null, null
    if path != "/streams":
        assert null == plain


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": [TENSOR | {"parameters": None}]},
        INFER | {"outputs": [{"name": "logits", "parameters": None}]},
        INFER | {"parameters": {"sequence_id": None, "binary_data_output": None}},
    ],
    ids=["input", "output", "parameter"],
)
def test_so_it_is_in_the_objects_of_a_body(client: httpx.Client, body: dict[str, Any]) -> None:
    assert client.post("/v2/models/toy/infer", json=body).json()["outputs"][0]["data"] == [1, 2, 1]


def test_a_large_body_may_have_nulls_too(client: httpx.Client) -> None:
    rows = [[0.125, 0.5]] * 20_000
    body = {"texts": None, "sequences": [rows], "logits": True, "context": None}
    [told] = client.post("/classify", json=body).json()["predictions"]
    assert told["logits"] == [2500, 10_000, 20_000]


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"sequences": [[[1, None]]]}, "null"),
        ({"sequences": None}, "send either sequences or texts"),
        (WINDOW | {"modle": None}, "modle"),
        (WINDOW | {"logits": "null"}, "logits"),
        (WINDOW | {"model": "nnnn" * 40}, "model"),
    ],
    ids=["number", "needed", "unknown", "text", "letters"],
)
def test_null_elsewhere_is_refused(client: httpx.Client, body: dict[str, Any], what: str) -> None:
    answer = client.post("/classify", json=body)
    assert answer.status_code in (404, 422) and what in answer.json()["detail"], answer.text


def test_a_websockets_messages_may_have_nulls_and_a_mark(toy_url: str) -> None:
    chunk = {"type": "chunk", "offset": 0, "steps": [[1, 2]], "text": None, "acked": None}
    with connect(live.websocket_url(toy_url)) as socket:
        talk = Talk(socket)
        talk.hear()
        socket.send("\N{BOM}" + json.dumps(chunk))
        assert talk.hear()["position"] == 1
        socket.send(json.dumps(chunk | {"offset": None}))
        assert "offset" in talk.hear()["detail"]


def test_a_byte_order_mark_is_skipped_and_utf_16_is_named(client: httpx.Client) -> None:
    text = json.dumps(WINDOW)
    assert client.post("/classify", content=text.encode("utf-8-sig")).is_success
    large = json.dumps({"sequences": [[[1.5, 2.5]] * 20_000]})
    assert client.post("/classify", content=large.encode("utf-8-sig")).is_success
    for encoding in ("utf-16", "utf-16-le", "utf-32"):
        answer = client.post("/classify", content=text.encode(encoding))
        assert answer.json()["code"] == "bad_json"
        assert encoding.upper() in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/classify", "/v2/models/toy/infer", "/streams", "steps"])
@pytest.mark.parametrize(
    ("encoding", "encode"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compressed_bodies_are_read_at_every_door(
    client: httpx.Client, path: str, encoding: str, encode: Callable[[bytes], bytes]
) -> None:
    body = BODIES.get(path, {})
    if path == "steps":
        path = f"/streams/{client.post('/streams').json()['stream']}/steps"
        body = {"offset": 0, "steps": [[1, 2]]}
    plain = json.dumps(body).encode()
    for content, header in ((encode(plain), encoding), (plain, "identity")):
        answer = client.post(path, content=content, headers={"Content-Encoding": header})
        assert answer.is_success, answer.text
    for content in (plain, encode(plain)[:-1], encode(plain) * 2):
        answer = client.post(path, content=content, headers={"Content-Encoding": encoding})
        assert answer.status_code in (400, 422), answer.text
        assert "Content-Encoding" in answer.text or "one whole" in answer.text
    answer = client.post(path, content=plain, headers={"Content-Encoding": "br"})
    assert answer.status_code in (400, 422) and "send gzip, deflate" in answer.text


def test_a_compressed_body_counts_as_what_it_becomes(toy_models: Path) -> None:
    limits = {"max_body": 2**17, "max_message": 2**17, "max_waiting_bytes": 2**17}
    with live.running(models=toy_models, model="toy", **limits) as url:
        for path, size in (("/classify", 2**17 + 1), ("/streams", 2**18)):
            bomb = gzip.compress(b" " * size)
            answer = httpx.post(
                f"{url}{path}", content=bomb, headers={"Content-Encoding": "gzip"}, timeout=60
            )
            assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        fits = gzip.compress(json.dumps(WINDOW).encode().ljust(2**17))
        headers = {"Content-Encoding": "gzip"}
        assert httpx.post(f"{url}/classify", content=fits, headers=headers).is_success


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/models", "/metrics"]
)
def test_head_is_get_without_the_body(client: httpx.Client, path: str) -> None:
    assert client.head(path).status_code == client.get(path).status_code == 200
    with connected(client) as own:
        own.sendall(
            request(method="HEAD", path=path).replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
        )
        told = until_closed(own)
    assert told.startswith(b"HTTP/1.1 200 OK") and told.endswith(b"\r\n\r\n"), told
    assert client.head("/classify").status_code == 405


def test_a_body_may_be_the_bytes_of_one_tensor(client: httpx.Client) -> None:
    """Triton's raw binary request: no JSON, and its outputs are binary."""
    headers = {"Inference-Header-Content-Length": "0"}
    steps = np.array([[1, 2], [3, 4]], "<f4").tobytes()
    answer = client.post("/v2/models/toy/infer", content=steps, headers=headers)
    size = int(answer.headers["Inference-Header-Content-Length"])
    assert json.loads(answer.content[:size])["outputs"][0]["shape"] == [1, 2, 3]
    logits = np.frombuffer(answer.content[size:], "<f4").reshape(2, 3)
    np.testing.assert_array_equal(logits, [[1, 2, 1], [4, 6, 2]])
    answer = client.post("/v2/models/toy/infer", content=steps[:-1], headers=headers)
    assert answer.status_code == 400 and "8 bytes" in answer.json()["error"]
    assert client.post("/v2/models/none/infer", content=steps, headers=headers).status_code == 404
