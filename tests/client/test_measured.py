"""The client and the command line say what their numbers are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from larnn_client import BadInput, Client, Conflict, Measured
from tests.cli.command import run

STEPS = np.array([[1, 2], [3, -4], [-5, 6]], np.float32)
SENT = np.stack([STEPS[:, 1], STEPS[:, 0] * -1000], axis=1)
UNITS, AXES = "left=mg", "left=-right,right=left"
SAID = Measured(UNITS, AXES, 50)
TRUTH = [-1, 4, 3]
"""The toy's sums after all steps, and their number."""


@pytest.mark.parametrize("binary", [False, True])
def test_a_stream_is_opened_and_resumed_with_them(toy_url: str, binary: bool) -> None:
    with Client(toy_url) as client:
        with client.stream(logits=True, binary=binary, measured=SAID) as stream:
            stream.send(SENT[:2])
            stream.receive()
            name, position = stream.id, stream.position
            assert (stream.opened.units, stream.opened.axes) == (UNITS, AXES)
            stream.close()
        with pytest.raises(Conflict), client.stream(resume=name, measured=Measured("left=m/s²")):
            pass
        with client.stream(resume=name, position=position, logits=True, measured=SAID) as again:
            [told] = again.predict([SENT[2:]])
    assert told.logits == pytest.approx(TRUTH, abs=1e-5)


@pytest.mark.parametrize("ragged", [False, True])
def test_so_is_a_request(toy_url: str, ragged: bool) -> None:
    sequences = [SENT, SENT[:2]] if ragged else [SENT]
    with Client(toy_url) as client:
        told = client.classify(sequences, measured=SAID, logits=True)
        assert told.predictions[0].logits == pytest.approx(TRUTH, abs=1e-5)
        with pytest.raises(BadInput, match=r"larnn_client.Resampler\(50\)"):
            client.classify(sequences, measured=Measured(sample_rate_hz=100))
        with pytest.raises(BadInput, match="V is a unit of voltage"):
            client.classify(sequences, measured=Measured("V"))


def test_the_command_line_takes_them(toy_url: str, tmp_path: Path) -> None:
    np.save(tmp_path / "sent.npy", SENT)
    np.save(tmp_path / "steps.npy", STEPS)
    asked = ["--json", "--model", "toy", "--url", toy_url]
    said = ["--units", UNITS, "--axes", AXES, "--sample-rate", "50"]
    plain = run("stream", tmp_path / "steps.npy", *asked, "--full-speed")
    told = run("stream", tmp_path / "sent.npy", *asked, *said, "--full-speed")
    assert json.loads(told.out.splitlines()[-1]) == json.loads(plain.out.splitlines()[-1]), told.err
    plain, told = (
        run("classify", tmp_path / "steps.npy", *asked),
        run("classify", tmp_path / "sent.npy", *asked, *said),
    )
    [one], [other] = json.loads(plain.out), json.loads(told.out)
    assert one["probabilities"] == pytest.approx(other["probabilities"])
    refused = run("classify", tmp_path / "steps.npy", *asked, "--sample-rate", "25")
    assert refused.code != 0 and "Resampler(50)" in " ".join(refused.err.split())
