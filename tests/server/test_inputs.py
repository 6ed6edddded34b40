"""Networks that take a range of channels or a frame of samples, at every door."""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from larnn_client import BadInput, Client
from larnn_client.messages import Binary
from tests import live, wide
from tests.cli.command import run

INPUTS = {"range": wide.RANGE, "frame": wide.FRAME}
TOLD = {
    "range": {"range": {"prefix": "ch", "count": 512, "unit": "uV"}},
    "frame": {
        "frame": {"samples": 160, "unit": "1", "sample_rate_hz": 16_000, "int16_scale": wide.SCALE}
    },
}
SHOWN = {
    "range": "ch0 … ch511 [uV], 100 steps a second",
    "frame": "160 samples at 16000 Hz [1], 100 steps a second",
}
NAMED = pytest.mark.parametrize("name", [*INPUTS])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("models")
    for name, step in INPUTS.items():
        wide.publish(root, name, step)
    with live.running(models=root, model="range") as url:
        yield url


def steps_of(name: str) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(5, INPUTS[name].width)).astype(np.float32)


@NAMED
def test_the_description_is_short_and_the_same_everywhere(http: httpx.Client, name: str) -> None:
    served = http.get("/models").json()["models"]
    [model] = [each for each in served if each["name"] == name]
    opened = http.post("/streams", json={"model": name}).json()
    assert (model["input"], opened["input"]) == (TOLD[name], TOLD[name])
    assert (model["channels"], opened["channels"]) == ([], [])
    config = http.get(f"/v2/models/{name}/config").json()
    told = {name: value["string_value"] for name, value in config["parameters"].items()}
    assert (json.loads(told["input"]), told["channels"]) == (TOLD[name], "")
    width = INPUTS[name].width
    metadata = http.get(f"/v2/models/{name}").json()
    assert metadata["inputs"][0]["shape"] == [-1, -1, width]
    assert config["input"][0]["dims"] == [-1, width]


@NAMED
def test_every_door_takes_steps_of_that_width(http: httpx.Client, url: str, name: str) -> None:
    steps = steps_of(name)
    level = wide.expected(steps)[-1]
    body = io.BytesIO()
    np.save(body, steps[None])
    kind = {"Content-Type": "application/x-npy"}
    classified = [
        http.post("/classify", json={"model": name, "sequences": [steps.tolist()]}),
        http.post("/classify", params={"model": name}, headers=kind, content=body.getvalue()),
    ]
    for answer in classified:
        [prediction] = answer.json()["predictions"]
        assert prediction["values"]["level"] == pytest.approx(level, abs=1e-5)
    address = live.websocket_url(url) + f"?model={name}"
    with connect(address, subprotocols=[Subprotocol("larnn.f32.v1")]) as socket:
        socket.recv(timeout=60)
        socket.send(struct.pack("<Q", 0) + steps.tobytes())
        told = json.loads(socket.recv(timeout=60))
        socket.send(struct.pack("<Q", 5) + steps.tobytes()[:-4])
        assert f"{INPUTS[name].width} float32" in json.loads(socket.recv(timeout=60))["detail"]
    assert told["values"]["level"] == pytest.approx(level, abs=1e-5)
    x = {"name": "x", "datatype": "FP32", "shape": [1, *steps.shape], "data": steps.tolist()}
    inferred = http.post(f"/v2/models/{name}/infer", json={"inputs": [x]}).json()
    [output] = inferred["outputs"]
    np.testing.assert_allclose(output["data"], wide.expected(steps), atol=1e-5)


def test_int16_samples_are_scaled_as_the_manifest_says(http: httpx.Client, url: str) -> None:
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, (5, 160)).astype("<i2")
    scaled = samples.astype(np.float32) * np.float32(wide.SCALE)
    level = pytest.approx(wide.expected(scaled)[-1], abs=1e-6)
    npy = {"Content-Type": "application/x-npy"}
    for kind in ("<i2", "<i4", ">i2"):
        body = io.BytesIO()
        np.save(body, samples[None].astype(kind))
        asked = body.getvalue()
        answer = http.post("/classify?model=frame", headers=npy, content=asked).json()
        if kind == "<i2":
            assert answer["predictions"][0]["values"]["level"] == level
            other = http.post("/classify?model=range", headers=npy, content=asked)
            assert "takes [batch, steps, 512]" in other.json()["detail"]
        else:
            assert (answer["code"], "send <f4 C" in answer["detail"]) == ("bad_value", True)
    address = live.websocket_url(url)
    protocols = [Subprotocol("larnn.i16.v1")]
    with connect(f"{address}?model=frame", subprotocols=protocols) as socket:
        socket.recv(timeout=60)
        whole = struct.pack("<Q", 0) + samples.tobytes()
        for spoilt in (whole[:-1], whole[:-2], whole[:7]):
            socket.send(spoilt)
            told = json.loads(socket.recv(timeout=60))
            assert (told["code"], "160 int16 values" in told["detail"]) == ("bad_message", True)
        socket.send(whole)
        assert json.loads(socket.recv(timeout=60))["values"]["level"] == level
        socket.send('{"type": "chunk", "offset": 5, "steps": [[1]]}')
        assert "under larnn.i16.v1" in json.loads(socket.recv(timeout=60))["detail"]
    with connect(f"{address}?model=range", subprotocols=protocols) as socket:
        socket.recv(timeout=60)
        socket.send(struct.pack("<Q", 0) + bytes(2 * 512))
        assert "range takes no int16" in json.loads(socket.recv(timeout=60))["detail"]


@pytest.mark.parametrize("binary", [False, True, "int16"])
def test_the_client_passes_int16_arrays_on(url: str, binary: Binary) -> None:
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, (5, 160)).astype(np.int16)
    level = pytest.approx(wide.expected(samples.astype(np.float32) * wide.SCALE)[-1], abs=1e-6)
    with Client(url) as client:
        with client.stream(model="frame", binary=binary) as stream:
            *_, told = stream.predict([samples[:2], samples[2:]])
            if binary == "int16":
                with pytest.raises(BadInput, match="int16 arrays alone"):
                    stream.send(samples.astype(np.float32))
        answer = client.classify([samples, samples], model="frame").predictions[1]
        with pytest.raises(BadInput, match="int16 sequences go in one length"):
            client.classify([samples, samples[1:]], model="frame")
        with pytest.raises(BadInput, match=r"takes \[batch, steps, 512\]"):
            client.classify([samples], model="range")
        with (
            client.stream(model="range", binary="int16") as stream,
            pytest.raises(BadInput, match="the model takes no int16"),
        ):
            stream.send(np.zeros((1, 512), np.int16))
    assert told.values["level"] == answer.values["level"] == level


@NAMED
def test_a_step_of_another_width_is_refused(http: httpx.Client, name: str) -> None:
    asked = {"model": name, "sequences": [[[1.0] * 3]]}
    refused = http.post("/classify", json=asked).json()
    assert f"has 3 numbers; {name} takes {INPUTS[name].width}" in refused["detail"]


@NAMED
def test_the_client_and_the_command_line_know_them(url: str, tmp_path: Path, name: str) -> None:
    steps = steps_of(name)
    with Client(url) as client:
        [model] = [each for each in client.models().models if each.name == name]
        with client.stream(model=name) as stream:
            assert stream.opened.input == model.input
            [told] = stream.predict([steps])
    assert told.values["level"] == pytest.approx(wide.expected(steps)[-1], abs=1e-5)
    assert model.input.width == len(model.channels) == INPUTS[name].width
    assert [*model.channels][1] == {"range": "ch1", "frame": "sample1"}[name]
    listed = " ".join(run("models", "--url", url).out.replace("│", " ").split())
    for word in SHOWN[name].split():
        assert word in listed
    np.save(tmp_path / "steps.npy", steps)
    asked = ["--full-speed", "--json", "--model", name, "--url", url]
    shown = run("stream", tmp_path / "steps.npy", *asked)
    answers = [json.loads(line) for line in shown.out.splitlines()]
    np.save(tmp_path / "narrow.npy", steps[:, :3])
    refused = run("stream", tmp_path / "narrow.npy", *asked)
    words = " ".join(refused.err.replace("│", " ").split())
    first, last = [*model.channels][:: model.input.width - 1]
    assert f"has 3 channels; the model takes {model.input.width}: {first} … {last}" in words
    assert answers[-1]["values"]["level"] == pytest.approx(told.values["level"], abs=1e-5)


def test_what_is_too_large_is_refused_before_its_numbers_are_looked_at(http: httpx.Client) -> None:
    """Else a NaN at its end would be told, after all of it was read."""
    stream = http.post("/streams", json={"model": "frame"}).json()["stream"]
    file = io.BytesIO()
    np.save(file, np.full((1025, wide.FRAME.width), np.nan, np.float32))
    answer = http.post(
        f"/streams/{stream}/steps?offset=0",
        content=file.getvalue(),
        headers={"Content-Type": "application/x-npy"},
    )
    assert answer.json()["code"] == "too_large", answer.text
