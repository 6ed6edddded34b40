"""Imported graphs by websocket: each stream answers as the file in onnxruntime does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from larnn_client import Client
from larnn_export.importing import Options, import_graph
from tests import live
from tests.importing import graphs

Write = Callable[[Path], Path]
CASES: list[tuple[Write, dict[str, str], bool]] = [
    (graphs.one_step, {"h": "hn"}, False),
    (graphs.fixed_batch, {"h": "hn"}, False),
    (graphs.batch_last, {"h_in": "h_out"}, True),
    (graphs.quantised, {"h": "hn"}, False),
    (graphs.rows_meet, {"h": "hn"}, False),
]
"""A graph, its states, and whether its rows come last."""


@pytest.mark.parametrize("case", CASES, ids=[case[0].__name__ for case in CASES])
def test_streams_answer_as_the_file_does(
    case: tuple[Write, dict[str, str], bool], tmp_path: Path
) -> None:
    write, states, last = case
    file = write(tmp_path)
    import_graph(file, Options(name="mine"), tmp_path / "models")
    random = np.random.default_rng(1)
    signals = random.normal(0, 1, (3, 40, 4)).astype(np.float32)
    wanted = [_by_hand(file, steps, states, last) for steps in signals]
    with contextlib.ExitStack() as stack:
        url = stack.enter_context(live.running(models=tmp_path / "models", model="mine"))
        client = stack.enter_context(Client(url))
        streams = [stack.enter_context(client.stream()) for _ in signals]
        found: list[list[Any]] = [[] for _ in signals]
        cuts = np.sort(random.choice(np.arange(1, 40), 9, replace=False))
        for chunks in zip(*(np.split(steps, cuts) for steps in signals), strict=True):
            for stream, chunk, answers in zip(streams, chunks, found, strict=True):
                [prediction] = stream.predict([chunk])
                answers.append(np.array(prediction.array, np.float32))
    ends = [*(cuts - 1), 39]
    for answers, outputs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(np.stack(answers), outputs[ends], atol=1e-6)


def test_what_is_given_once_is_given_when_a_stream_opens(tmp_path: Path) -> None:
    file = graphs.told_once(tmp_path)
    said = {"once": {"speaker": "required", "gain": 1.0}}
    import_graph(file, Options.model_validate({"name": "mine", **said}), tmp_path / "models")
    random = np.random.default_rng(2)
    steps = random.normal(0, 1, (20, 4)).astype(np.float32)
    speaker = random.normal(0, 1, 4).astype(np.float32)
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    hidden = np.zeros((1, 8), np.float32)
    for step in steps:
        given = {
            "x": step[None],
            "h": hidden,
            "speaker": speaker[None],
            "gain": np.array(2, np.float32),
        }
        wanted, hidden = session.run(None, given)
    with (
        live.running(models=tmp_path / "models", model="mine") as url,
        Client(url) as client,
        client.stream(context={"speaker": speaker, "gain": 2.0}) as stream,
    ):
        *_, last = stream.predict(np.split(steps, 4))
    np.testing.assert_allclose(last.array, wanted[0], atol=1e-6)


def _by_hand(file: Path, steps: Any, states: dict[str, str], last: bool) -> Any:
    """What onnxruntime gives for each step of one row."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    shapes = {tensor.name: tensor.shape for tensor in session.get_inputs()}
    state = {
        name: np.zeros([size if isinstance(size, int) else 1 for size in shapes[name]], np.float32)
        for name in states
    }
    answers = []
    for step in steps:
        x = step[:, None] if last else step[None]
        answer, *after = session.run(["y", *states.values()], {"x": x, **state})
        state = dict(zip(states, after, strict=True))
        answers.append(answer.reshape(-1))
    return np.stack(answers)
