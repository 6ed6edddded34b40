"""The client and the command line give context, and say what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from larnn_client import BadInput, Client
from tests import carried, live
from tests.cli.command import run

STEPS = np.array([[1], [0], [3], [2]], np.float32)
SHIFT = np.array([0.1, 2.7], np.float32)
CONTEXT: dict[str, Any] = {"gain": 0.5, "shift": SHIFT}
ANSWER = carried.expected(STEPS, 0.5, SHIFT.tolist())[0][-1].tolist()


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("models")
    carried.publish(root)
    with live.running(models=root, model="carried") as url:
        yield url


@pytest.mark.parametrize("binary", [False, True])
def test_a_stream_is_told_once(url: str, binary: bool) -> None:
    with Client(url) as client:
        with client.stream(context=CONTEXT, binary=binary) as stream:
            stream.send(STEPS[:2])
            stream.receive()
            name, position = stream.id, stream.position
            stream.close()
        with client.stream(resume=name, position=position) as again:
            [told] = again.predict([STEPS[2:]])
        with pytest.raises(ValueError, match="it stays with it"):
            client.stream(resume=name, context=CONTEXT)
    assert told.array.tolist() == ANSWER


@pytest.mark.parametrize("ragged", [False, True])
def test_so_is_a_request(url: str, ragged: bool) -> None:
    sequences = [STEPS, STEPS[:2]] if ragged else [STEPS]
    with Client(url) as client:
        assert client.classify(sequences, context=CONTEXT).predictions[0].array.tolist() == ANSWER
        gain, shift, _ = client.models().models[0].context
    assert (gain.name, gain.required, gain.shape, gain.dtype) == ("gain", True, (), "float32")
    assert (shift.required, shift.shape) == (False, (2,))


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({}, "context gain: missing"),
        ({"gain": "loud"}, "context gain is no array of numbers"),
        ({"gain": np.nan}, "context gain: a number is not finite"),
        ({"gain": [[1], [2, 3]]}, "context gain is no array of numbers"),
        ({"gain": [1, 2]}, "context gain: Expected `float`, got `array`"),
        ({"gain": 1, "pitch": 1}, "context pitch: carried has no such context"),
    ],
)
def test_what_is_wrong_is_said(url: str, context: dict[str, Any], says: str) -> None:
    with Client(url) as client:
        with pytest.raises(BadInput, match=says):
            client.classify([STEPS], context=context)
        with pytest.raises(BadInput, match=says), client.stream(context=context):
            pass


def test_the_command_line_takes_json_and_files(url: str, tmp_path: Path) -> None:
    np.save(tmp_path / "steps.npy", STEPS)
    np.save(tmp_path / "shift.npy", SHIFT)
    given = ["--context", "gain=0.5", "--context", f"shift={tmp_path / 'shift.npy'}"]
    asked: list[str | Path] = [tmp_path / "steps.npy", "--json", "--url", url]
    streamed = run("stream", *asked, *given)
    assert json.loads(streamed.out.splitlines()[-1])["output"] == ANSWER, streamed.err
    classified = run("classify", *asked, *given)
    assert json.loads(classified.out)[0]["output"] == ANSWER, classified.err
    listed = " ".join(run("models", "--url", url).out.replace("│", " ").split())
    assert "told once: gain" in listed and "or its default" in listed
    (tmp_path / "broken.npy").write_bytes(b"PK\x03\x04 no archive")
    nothing = "neither JSON nor a .npy"
    broken = f"shift={tmp_path / 'broken.npy'}"
    for option, says in (("gain", "write NAME=VALUE"), ("gain=loud", nothing), (broken, nothing)):
        refused = run("classify", *asked, "--context", option)
        assert (refused.code, says in " ".join(refused.err.replace("│", " ").split())) == (2, True)
