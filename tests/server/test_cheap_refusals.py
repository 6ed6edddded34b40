"""What a client sends is refused at little cost: no number of its is believed before its bound."""

from __future__ import annotations

import io
import json
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from tests import live
from tests.server.raw import connected, request, responses
from tests.server.test_stream import Talk

MEBIBYTE = 2**20
BIG = 2**63 - 1
LONG = "x" * MEBIBYTE


def sequences(rows: str) -> bytes:
    return f'{{"sequences": [{rows}]}}'.encode()


def tensor(shape: Any, data: str = "[1, 2]", **more: Any) -> bytes:
    described = {"name": "x", "datatype": "FP32", "shape": shape, **more}
    text = json.dumps({"inputs": [described]})
    return text.replace("}]}", f', "data": {data}}}]}}').encode()


def npy(header: str) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + b"\0" * 16


def shaped(shape: str) -> bytes:
    return npy(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}")


MANY_ROWS = "[" + ",".join(["[1, 2]"] * 100_000) + "]"
LARGE = {
    "a NaN at the end": sequences(MANY_ROWS[:-1] + ", [NaN, 1]]"),
    "a number at the end that fits nothing": sequences(MANY_ROWS[:-1] + ", [1e99, 1]]"),
    "a text at the end": sequences(MANY_ROWS[:-1] + ', ["1", 1]]'),
    "a row at the end that is too long": sequences(MANY_ROWS[:-1] + ", [1, 2, 3]]"),
    "an empty sequence at the end": sequences(MANY_ROWS + ", []"),
    "a bracket too few": sequences(MANY_ROWS)[:-3],
    "empty rows": sequences(",".join(["[[]]"] * 500_000)),
    "empty sequences": sequences(",".join(["[]"] * 500_000)),
    "sequences of a step": sequences(",".join(["[[1, 2]]"] * 200_000)),
    "numbers that are not nested": sequences(",".join(["1"] * 1_000_000)),
    "brackets": sequences("[" * MEBIBYTE),
    "a row without an end": sequences("[[" + "1," * MEBIBYTE + "1]]"),
    "a row without an end behind others": sequences(
        MANY_ROWS[:-1] + ",[" + "1," * MEBIBYTE + "1]]"
    ),
    "a number without an end": sequences("[[" + "1" * MEBIBYTE + "]]"),
    "a long name": b'{"%s": 1}' % LONG.encode(),
    "a long model": json.dumps({"sequences": [[[1, 2]]], "model": LONG}).encode(),
    "many texts": json.dumps({"texts": [""] * 500_000}).encode(),
    "many names": json.dumps({str(n): 1 for n in range(100_000)}).encode(),
    "half of a character": b'{"sequences": [[[1, 2]]], "model": "\\ud800"}',
}
INFER = "/v2/models/toy/infer"
SHAPES = {
    "large numbers": tensor([BIG] * 100_000),
    "many small numbers": tensor([1] * 500_000),
    "a number of many digits": tensor([1, 1, 2]).replace(
        b"[1, 1, 2]", b"[1, 1, 2%s]" % (b"0" * 5000)
    ),
    "a product that does not fit": tensor([2**30, 2**30, 2]),
    "negative numbers": tensor([-1, -2, 2]),
    "long names": tensor([1, 1, 2], name=LONG),
    "a long datatype": tensor([1, 1, 2], datatype=LONG),
    "many inputs": json.dumps({"inputs": [{"name": "x"}] * 100_000}).encode(),
    "a long id": tensor([1, 1, 2])[:-1] + b', "id": "%s"}' % LONG.encode(),
    "a sequence of many digits": tensor([1, 1, 2])[:-1]
    + b', "parameters": {"sequence_id": 1%s}}' % (b"0" * 5000),
    "a NaN at the end of many": tensor([1, 10**5, 2], "[" + "1," * (2 * 10**5 - 1) + "NaN]"),
    "deep brackets": tensor([1, 1, 2], "[" * MEBIBYTE),
    "spaces behind a number": tensor([1, 1, 2], "[1, 2" + " " * MEBIBYTE + ", 3]"),
    "more numbers than the shape": tensor([1, 1, 2], "[" + "1," * MEBIBYTE + "1]"),
    "more rows than the shape": tensor([1, 1, 2], MANY_ROWS[:-1] + ", [1]]"),
    "a NaN in the smaller of two": json.dumps(
        {
            "inputs": [
                {
                    "name": "lengths",
                    "datatype": "INT64",
                    "shape": [1],
                    "data": [1],
                    "parameters": {},
                },
                {"name": "x", "datatype": "FP32", "shape": [1, 1000, 2], "data": [1] * 1999},
            ]
        }
    )
    .replace('[1], "parameters"', "[" + " " * 800 + '1], "parameters"')
    .replace("1]}]}", "1, NaN]}]}" + " " * 2**17)
    .encode(),
}
HEADERS = {
    "truth": shaped("(True, 1, 2)"),
    "a size of many digits": shaped("(1" + "0" * 40 + ", 0, 2)"),
    "none of something large": shaped("(0, 1" + "0" * 23 + ", 2)"),
    "a negative size": shaped("(-1, -2, 2)"),
    "a text": shaped("('1', 2, 2)"),
    "a fraction": shaped("(1.0, 2, 2)"),
    "no shape": npy("{'descr': '<f4', 'fortran_order': False}"),
    "code": npy("__import__('os').getcwd()"),
    "objects": npy("{'descr': 'O', 'fortran_order': False, 'shape': (1, 2, 2), }"),
    "brackets": npy("[" * 100),
    "signs": npy("+," * 1950),
    "a long type": npy(
        f"{{'descr': [('{'x' * 99}', '<f4')], 'fortran_order': False, 'shape': ()}}"
    ),
}


def refused(answer: httpx.Response) -> str:
    """The text of a refusal that is none of the service's own faults."""
    assert 400 <= answer.status_code < 500, answer.text[:1000]
    told = answer.json()
    text: str = told.get("detail") or told["error"]
    assert len(answer.content) < 1500
    assert "None" not in text
    assert "x" * 200 not in text
    return text


@pytest.mark.parametrize("what", LARGE)
def test_a_large_body_is_refused_with_a_reason(client: httpx.Client, what: str) -> None:
    refused(client.post("/classify", content=LARGE[what]))


@pytest.mark.parametrize(
    ("what", "place"),
    [
        ("a NaN at the end", "sequences[0][100000][0]"),
        ("a number at the end that fits nothing", "sequences[0][100000][0]"),
        ("a text at the end", "byte 700018: numbers alone"),
        ("a row at the end that is too long", "sequences[0][100000]"),
        ("an empty sequence at the end", "sequences[1] has no steps"),
        ("empty rows", "sequences[0][0] has 0 numbers"),
        ("a row without an end", "sequences[0][0] has more than 2 numbers; toy takes 2"),
        ("a row without an end behind others", "sequences[0][100000] has more than 2 numbers"),
    ],
)
def test_the_reason_names_the_place(toy_models: Path, what: str, place: str) -> None:
    limits = {"max_sequence_steps": 200_000, "max_request_steps": 200_000}
    with live.running(models=toy_models, model="toy", **limits) as url:
        answer = httpx.post(f"{url}/classify", content=LARGE[what], timeout=100)
        assert place in refused(answer)


@pytest.mark.parametrize("what", SHAPES)
def test_a_tensor_is_refused_with_a_reason(client: httpx.Client, what: str) -> None:
    refused(client.post(INFER, content=SHAPES[what]))


@pytest.mark.parametrize("what", HEADERS)
def test_a_header_of_an_array_is_refused_with_a_reason(client: httpx.Client, what: str) -> None:
    headers = {"Content-Type": "application/x-npy"}
    detail = refused(client.post("/classify", content=HEADERS[what], headers=headers))
    assert "ast." not in detail and "line 1" not in detail


@pytest.mark.parametrize("size", ["1" * 5000, "-1", "1e3", "٣", "99999999999"])
def test_the_size_of_a_head_is_refused_with_a_reason(client: httpx.Client, size: str) -> None:
    headers = {"Inference-Header-Content-Length": size.encode()}
    refused(client.post(INFER, content=tensor([1, 1, 2]), headers=headers))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["offset", "acked", "emit", "version"])
def test_numbers_of_many_digits_are_refused(client: httpx.Client, name: str) -> None:
    digits = b"1" + b"0" * 5000
    if name == "version":
        refused(client.post("/streams", content=b'{"version": %s}' % digits))
        refused(client.post("/classify?version=" + digits.decode()[:4000], content=b"{}"))
        return
    stream = client.post("/streams", content=b"{}").json()["stream"]
    fields = {b"offset": b"0", b"steps": b"[[1, 2]]", name.encode(): digits}
    body = b"{%s}" % b", ".join(b'"%s": %s' % pair for pair in fields.items())
    refused(client.post(f"/streams/{stream}/steps", content=body))


@pytest.mark.parametrize("query", ["a&" * 4000, "a=1&" * 2000, "%61=&" * 1600])
@pytest.mark.parametrize(
    "path", ["/healthz", "/", "/web/app.js", "/unknown", "/models", "/streams"]
)
def test_an_address_of_many_parameters_is_refused_with_a_reason(
    client: httpx.Client, path: str, query: str
) -> None:
    assert "more than 64 parameters" in refused(client.get(f"{path}?{query}"))
    for other in ("/classify", INFER, "/streams/x/steps"):
        refused(client.post(f"{other}?{query}", content=b"{}"))


def test_so_it_is_where_a_stream_opens(toy_url: str) -> None:
    with connect(f"{live.websocket_url(toy_url)}?{'a=1&' * 2000}") as socket:
        talk = Talk(socket)
        assert "more than 64 parameters" in talk.hear()["detail"]
        assert talk.close_code() == 4422


@pytest.mark.parametrize("name", ["Connection", "Upgrade"])
def test_a_handshake_of_many_items_is_refused_with_a_reason(
    client: httpx.Client, name: str
) -> None:
    """Reading them all would take long."""
    lines = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    lines["Sec-WebSocket-Key"] = "AAAAAAAAAAAAAAAAAAAAAA=="
    lines |= {name: lines[name] + ", a" * 2000}
    with connected(client) as own:
        given = [f"{name}: {value}" for name, value in lines.items()]
        own.sendall(request(b"", *given, method="GET", path="/stream"))
        [[head, body]] = responses(own, 1)
    assert head.split(b" ")[1] in (b"426", b"404")
    assert json.loads(body)["code"] in ("bad_request", "not_found")


@pytest.mark.parametrize("nested", [True, False])
def test_large_numbers_are_read_as_small_ones_are(client: httpx.Client, nested: bool) -> None:
    """Beside them, and in any order of the fields, stands what the body says else."""
    window = np.random.default_rng(0).normal(size=(20_000, 2)).round(4)
    many = json.dumps([window.tolist()])
    body = b'{"logits": true, "model": "toy", "sequences": %s, "version": 1}' % many.encode()
    array = io.BytesIO()
    np.save(array, window.astype(np.float32)[None])
    headers = {"Content-Type": "application/x-npy"}
    expected = client.post("/classify?logits=true", content=array.getvalue(), headers=headers)
    assert client.post("/classify", content=body).json() == expected.json()
    data = many if nested else json.dumps(window.ravel().tolist())
    told = client.post(INFER, content=tensor([1, 20_000, 2], data)).json()
    last = told["outputs"][0]["data"][-3:]
    assert last == pytest.approx(expected.json()["predictions"][0]["logits"], rel=1e-5)


def test_others_are_answered_meanwhile(client: httpx.Client) -> None:
    """How long a bystander waits beside one refused body after the other."""
    waits: list[float] = []
    over = threading.Event()

    def bystander() -> None:
        with httpx.Client(base_url=client.base_url, timeout=100) as own:
            while not over.is_set():
                start = time.perf_counter()
                assert own.get("/healthz").is_success
                waits.append(time.perf_counter() - start)

    thread = threading.Thread(target=bystander)
    thread.start()
    try:
        for body in LARGE.values():
            refused(client.post("/classify", content=body))
        for body in SHAPES.values():
            refused(client.post(INFER, content=body))
    finally:
        over.set()
        thread.join()
    assert np.percentile(waits, 99) < 2  # before, the loop stood still for seconds
