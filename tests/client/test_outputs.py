"""The client and the command line with a network whose answers are values, tags and arrays."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from larnn_client import BadInput, Client, Prediction, Raw, Tags, Values
from tests import live, many_outputs
from tests.cli.command import run

STEPS = np.array([[1, -2], [3, 4], [0.5, -1], [2, -9]], np.float32)
TRUTH = many_outputs.expected(STEPS)
FURTHER = ["signs", "chance", "steps_seen", "grid"]
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
    assert answer.answer == Values(SUMS, {"left": "g", "right": "g"})
    assert answer.values == SUMS
    for name in ("label", "probabilities", "logits", "array"):
        with pytest.raises(AttributeError, match=f"the answer is Values, which has no {name}"):
            getattr(answer, name)
    signs, grid = answer.outputs["signs"], answer.outputs["grid"]
    assert isinstance(signs, Tags) and signs.probabilities["LEFT"] > 0.99
    assert isinstance(grid, Raw) and grid.array.dtype == np.float16
    assert grid.array.tolist() == [[6.5], [-8.0]]


@pytest.mark.parametrize("emit", ["last", "every", 3])
def test_binary_answers_say_what_json_says(url: str, emit: Any) -> None:
    """Each number and each word of it: only arrays are compared by hand."""
    told = []
    for binary in (False, True):
        predictions: list[Prediction] = []
        for model, further in (("sums", FURTHER), ("signs", ["sums"]), ("grid", [])):
            options = {"model": model, "emit": emit, "outputs": further, "logits": model == "signs"}
            with Client(url) as client, client.stream(binary=binary, **options) as stream:
                predictions += stream.predict([STEPS[:1], STEPS[1:]])
        told.append([_plain(prediction) for prediction in predictions])
    assert told[0] == told[1]
    assert len(told[0]) == 6


def _plain(prediction: Prediction) -> list[Any]:
    """Equal where all that is told is."""
    told: list[Any] = [prediction.position, prediction.durable, prediction.steps is None]
    for step in (prediction, *(prediction.steps or ())):
        for name, answer in [("", step.answer), *step.outputs.items()]:
            array = (answer.array.dtype, answer.array.tolist()) if isinstance(answer, Raw) else ()
            told.append((name, array or answer))
    return told


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
    seen = [answer.outputs["steps_seen"] for answer in answers]
    assert [raw.array for raw in seen if isinstance(raw, Raw)] == [1, 2, 3, 4]


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
