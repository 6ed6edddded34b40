"""Units, axes and a rate that a client says, at every endpoint: the same answers, exactly once."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from larnn_service.wire.large_json import LARGE
from tests import live
from tests.server.test_stream import Talk

TOLD = {"units": "left=mg,right=m/s2", "axes": "left=-right,right=left"}
"""The toy takes left and right in g, and adds up; all of these are whole in both."""
STEPS = np.array([[1, 2], [3, -4], [-5, 6]], np.float32)
SENT = np.stack([STEPS[:, 1] * 9.80665, STEPS[:, 0] * -1000], axis=1)
"""The sent left is the model's right; the sent right is minus the model's left."""
LOGITS = np.concatenate([np.cumsum(STEPS, axis=0), np.arange(1, 4)[:, None]], axis=1)


def stream_address(http: httpx.Client, **query: str) -> str:
    url = live.websocket_url(str(http.base_url).rstrip("/"))
    return f"{url}?{urlencode({'logits': 'true'} | query)}"


def near(logits: Any, steps: int) -> bool:
    return bool(np.allclose(logits, LOGITS[steps - 1], atol=1e-5))


@pytest.mark.parametrize("large", [False, True])
def test_classify_converts_what_its_body_says(client: httpx.Client, large: bool) -> None:
    asked = {"sequences": [SENT.tolist(), SENT[:1].tolist()], "logits": True, "sample_rate_hz": 50}
    text = json.dumps(asked | TOLD).replace("[[[", "[[" + " " * LARGE * large + "[")
    first, second = client.post("/classify", content=text).json()["predictions"]
    assert near(first["logits"], 3) and near(second["logits"], 1)


def test_so_does_an_npy_body_with_what_its_address_says(client: httpx.Client) -> None:
    body = io.BytesIO()
    np.save(body, SENT[None].astype(np.float32))
    told = client.post(
        "/classify",
        content=body.getvalue(),
        headers={"Content-Type": "application/x-npy"},
        params=TOLD | {"logits": "true", "sample_rate_hz": "50"},
    )
    assert near(told.json()["predictions"][0]["logits"], 3)


@pytest.mark.parametrize("subprotocol", [None, "larnn.f32.v1"])
def test_a_stream_keeps_what_it_was_told(client: httpx.Client, subprotocol: str | None) -> None:
    offered: Any = [subprotocol] if subprotocol else None
    steps = SENT.astype("<f4")

    def send(talk: Talk, offset: int, end: int) -> Any:
        if subprotocol is None:
            return talk.chunk(offset, SENT[offset:end].tolist())
        talk.socket.send(offset.to_bytes(8, "little") + steps[offset:end].tobytes())
        return talk.hear()

    with connect(stream_address(client, **TOLD), subprotocols=offered) as socket:
        talk = Talk(socket)
        opened = talk.hear()
        assert (opened["units"], opened["axes"]) == (
            "left=mg,right=m/s²",
            "left=-right,right=left",
        )
        assert near(send(talk, 0, 2)["logits"], 2)
        assert near(send(talk, 0, 2)["logits"], 2)  # what was answered is answered again
    stream = opened["stream"]
    for told in ({}, TOLD, {"units": "right=m/s^2,left=mg", "axes": TOLD["axes"]}):
        with connect(stream_address(client, stream=stream, **told), subprotocols=offered) as socket:
            talk = Talk(socket)
            assert talk.hear()["position"] in (2, 3)
            assert near(send(talk, 2, 3)["logits"], 3)
    forked = client.post(f"/streams/{stream}/fork").json()
    assert (forked["units"], forked["axes"]) == (opened["units"], opened["axes"])


@pytest.mark.parametrize("told", [{"units": "g"}, {"units": "mg", "axes": "left=-left"}])
def test_who_says_otherwise_of_a_stream_is_refused(client: httpx.Client, told: Any) -> None:
    stream = client.post("/streams", json=TOLD).json()["stream"]
    with connect(stream_address(client, stream=stream, **told)) as socket:
        refused = Talk(socket).hear()
    assert refused["code"] == "conflict"
    assert (
        "was opened with units left=mg,right=m/s², axes left=-right,right=left" in refused["detail"]
    )


def test_over_http_the_steps_go_through_the_same(client: httpx.Client) -> None:
    key = {"Idempotency-Key": "measured"}
    opened = client.post("/streams", json=TOLD, headers=key).json()
    stream = opened["stream"]
    again = client.post("/streams", json=TOLD | {"units": "left=mg,right=m/s^2"}, headers=key)
    assert again.json()["stream"] == stream
    other = client.post("/streams", json={"axes": TOLD["axes"]}, headers=key)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    chunk = {"offset": 0, "steps": SENT.tolist(), "logits": True}
    assert near(client.post(f"/streams/{stream}/steps", json=chunk).json()["logits"], 3)
    assert client.get(f"/streams/{stream}").json()["axes"] == TOLD["axes"]
    plain = client.post("/streams", json={"units": "g"}).json()
    assert "units" not in plain and "axes" not in plain


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"units": "furlong"}, "'furlong' is no unit that is known; toy takes m/s², cm/s², g"),
        ({"units": "left=V"}, "V is a unit of voltage; left of toy takes acceleration"),
        ({"axes": "left=right"}, "no signed permutation"),
        ({"axes": "up=left"}, "'up' is no channel of toy; it has left, right"),
        ({"sample_rate_hz": 100}, "toy takes 50 steps a second, not 100; put them onto its rate"),
        ({"sample_rate_hz": 48}, "larnn_client.Resampler(50)"),
    ],
)
def test_what_cannot_be_is_refused_at_every_door(
    client: httpx.Client, told: dict[str, Any], says: str
) -> None:
    words = {name: str(value) for name, value in told.items()}
    with connect(stream_address(client, **words)) as socket:
        refused = Talk(socket).hear()
    assert (refused["type"], refused["code"]) == ("error", "bad_message")
    assert says in refused["detail"]
    for path, body in (("/streams", {}), ("/classify", {"sequences": [STEPS.tolist()]})):
        answer = client.post(path, json=body | told).json()
        assert (answer["code"], says in answer["detail"]) == ("bad_message", True), answer
    x = {"name": "x", "datatype": "FP32", "shape": [1, *STEPS.shape], "data": STEPS.tolist()}
    v2 = client.post("/v2/models/toy/infer", json={"inputs": [x], "parameters": told})
    assert v2.status_code == 400 and says in v2.json()["error"]


def test_the_open_inference_protocol_takes_them_as_parameters(client: httpx.Client) -> None:
    def infer(first: int, end: int, **parameters: Any) -> httpx.Response:
        data = SENT[first:end]
        x = {"name": "x", "datatype": "FP32", "shape": [1, *data.shape], "data": data.tolist()}
        body = {"inputs": [x], "parameters": parameters}
        return client.post("/v2/models/toy/infer", json=body)

    whole = infer(0, 3, **TOLD).json()["outputs"][0]["data"]
    assert np.allclose(np.reshape(whole, (3, 3)), LOGITS, atol=1e-5)
    begun = infer(0, 2, sequence_id="measured", sequence_start=True, **TOLD)
    assert near(begun.json()["outputs"][0]["data"][-3:], 2)
    refused = infer(2, 3, sequence_id="measured", units="g")
    assert refused.status_code == 409 and "say the same or nothing" in refused.json()["error"]
    ended = infer(2, 3, sequence_id="measured", sequence_end=True)
    assert near(ended.json()["outputs"][0]["data"], 3)


@pytest.mark.parametrize("name", ["units", "axes", "sample_rate_hz"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/classify", {"sequences": [[[1, 2]]]}),
        ("/streams", {}),
        ("/streams/fork", None),
        (
            "/v2/models/toy/infer",
            {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 2], "data": [1, 2]}]},
        ),
    ],
)
def test_an_address_that_is_not_read_is_refused(
    client: httpx.Client, path: str, body: Any, name: str
) -> None:
    if path.endswith("fork"):
        path = f"/streams/{client.post('/streams').json()['stream']}/fork"
    answer = client.post(path, json=body, params={name: "50" if name == "sample_rate_hz" else "g"})
    assert answer.status_code in (400, 422), answer.text
    assert f"in the address: {name} is not read here; " in answer.text


@pytest.mark.parametrize(
    ("path", "body", "names"),
    [
        (
            "/classify",
            {"sequences": [[[1, 2]]]},
            ["model", "version", "logits", "probabilities", "outputs", "context"],
        ),
        (
            "/streams/{}/steps",
            {"offset": 0, "steps": [[1, 2]]},
            ["offset", "acked", "logits", "emit", "explain", "outputs", "probabilities"],
        ),
    ],
)
def test_options_beside_a_json_body_are_refused(
    client: httpx.Client, path: str, body: dict[str, Any], names: list[str]
) -> None:
    path = path.format(client.post("/streams").json()["stream"])
    for name in names:
        answer = client.post(path, json=body, params={name: "1"})
        assert answer.status_code == 422, (name, answer.text)
        assert f"in the address: {name} is not read here; JSON says it inside" in answer.text
    assert client.post(path, json=body, params={"mine": "1"}).is_success


def test_an_array_of_sequences_has_no_options_of_a_stream(client: httpx.Client) -> None:
    file = io.BytesIO()
    np.save(file, np.zeros((1, 2, 2), np.float32))
    for name in ("emit", "explain", "offset", "acked"):
        answer = client.post(
            "/classify",
            content=file.getvalue(),
            params={name: "1"},
            headers={"Content-Type": "application/x-npy"},
        )
        assert answer.status_code == 422, (name, answer.text)
        assert f"in the address: {name} is not read here; each sequence has" in answer.text


@pytest.mark.parametrize("npy", [False, True])
def test_the_address_of_a_chunk_says_what_its_stream_has(client: httpx.Client, npy: bool) -> None:
    stream = client.post("/streams", json=TOLD).json()["stream"]
    body = io.BytesIO()
    np.save(body, SENT.astype(np.float32))

    def steps(**said: str) -> httpx.Response:
        path = f"/streams/{stream}/steps"
        if not npy:
            return client.post(path, json={"offset": 0, "steps": SENT.tolist()}, params=said)
        kind = {"Content-Type": "application/x-npy"}
        return client.post(path, content=body.getvalue(), headers=kind, params=said | {"offset": 0})

    for other in ({"units": "mg"}, {"axes": "left=-left"}):
        assert steps(**other).status_code == 409
    assert steps(sample_rate_hz="49").status_code == 422
    assert steps(**TOLD, sample_rate_hz="50").json()["position"] == 3


@pytest.mark.parametrize("again", [{}, {"units": "mg"}, {"axes": "left=-left"}, TOLD])
def test_an_ended_sequence_begins_anew_in_any_units(
    client: httpx.Client, again: dict[str, str]
) -> None:
    name = f"anew {sorted(again)} {again.get('units')}"

    def infer(**parameters: Any) -> httpx.Response:
        x = {"name": "x", "datatype": "FP32", "shape": [1, 1, 2], "data": [1, 1]}
        body = {"inputs": [x], "parameters": {"sequence_id": name} | parameters}
        return client.post("/v2/models/toy/infer", json=body)

    assert infer(sequence_start=True, sequence_end=True, units="m/s²").status_code == 200
    gone = infer(**again)
    assert gone.status_code == 410, gone.text
    begun = infer(sequence_start=True, **again)
    assert begun.status_code == 200, begun.text
    assert begun.json()["parameters"]["position"] == 1
    other = infer(sequence_start=True, units="cm/s²")
    assert other.status_code == 409, other.text


def test_a_restart_keeps_them(own_models: Path, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'streams.db'}"
    with live.running(models=own_models, model="toy", store=store) as url:
        stream = httpx.post(f"{url}/streams", json=TOLD, timeout=60).json()["stream"]
    with live.running(models=own_models, model="toy", store=store) as url:
        chunk = {"offset": 0, "steps": SENT.tolist(), "logits": True}
        told = httpx.post(f"{url}/streams/{stream}/steps", json=chunk, timeout=60).json()
        assert near(told["logits"], 3), told
        assert httpx.get(f"{url}/streams/{stream}", timeout=60).json()["axes"] == TOLD["axes"]
