"""The client and the command line with a network whose answers are values, tags and arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from larnn_client import BadInput, Client
from tests import live, many_outputs
from tests.cli.command import run

STEPS = np.array([[1, -2], [3, 4], [0.5, -1], [2, -9]], np.float32)
TRUTH = many_outputs.expected(STEPS)
SUMS = {"left": 6.5, "right": -8.0}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("models")
    for name in ("sums", "signs", "grid"):
        many_outputs.publish(root, name, name)
    with live.running(models=root, model="sums") as url:
        yield url


@pytest.mark.parametrize("ragged", [False, True])
def test_classify_gives_what_the_outputs_are(url: str, ragged: bool) -> None:
    sequences = [STEPS, STEPS[:2]] if ragged else [STEPS]
    with Client(url) as client:
        answer = client.classify(sequences, outputs=["signs", "grid"]).predictions[0]
    assert (answer.label, dict(answer.probabilities), dict(answer.values)) == (None, {}, SUMS)
    assert answer.outputs["signs"].probabilities["LEFT"] > 0.99
    assert answer.outputs["grid"].output == [[6.5], [-8.0]]


@pytest.mark.parametrize("binary", [False, True])
def test_so_does_a_stream_for_each_step(url: str, binary: bool) -> None:
    with (
        Client(url) as client,
        client.stream(outputs=["steps_seen"], emit="every", binary=binary) as stream,
    ):
        sums, *others = stream.opened.outputs
        assert (sums.task, sums.labels, sums.units) == ("values", ("left", "right"), ("g", "g"))
        assert others[-1].shape == (2, 1)
        answers = [
            step
            for prediction in stream.predict([STEPS[:1], STEPS[1:]])
            for step in prediction.steps or ()
        ]
    assert [list(answer.values.values()) for answer in answers] == TRUTH["sums"].tolist()
    assert [answer.outputs["steps_seen"].output for answer in answers] == [1, 2, 3, 4]


def test_what_the_model_does_not_have_is_said(url: str) -> None:
    with Client(url) as client, pytest.raises(BadInput, match="no further output attention"):
        client.classify([STEPS], outputs=["attention"])


def test_the_command_line_tells_them(url: str, tmp_path: Path) -> None:
    np.save(tmp_path / "steps.npy", STEPS)
    listed = run("models", "--url", url)
    assert "left [g]" in listed.out and "float16 [2, 1]" in " ".join(listed.out.split())
    asked = ["--full-speed", "--chunk", "4", "--url", url]
    shown = run("stream", tmp_path / "steps.npy", *asked)
    assert "left 6.5  right -8" in shown.out, shown.err
    told = run("stream", tmp_path / "steps.npy", *asked, "--model", "grid", "--json")
    assert json.loads(told.out) == {"position": 4, "output": [[6.5], [-8.0]]}
    for name, column, value in (("sums", "left", "6.5"), ("signs", "p_LEFT", "0.998")):
        table = tmp_path / f"{name}.csv"
        run("classify", tmp_path / "steps.npy", "--model", name, "--output", table, "--url", url)
        head, row = (line.split(",") for line in table.read_text().splitlines())
        assert row[head.index(column)].startswith(value)
