"""python -m benchmarks sound: the picture of docs/import.md, from the models that it makes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import matplotlib
import numpy as np
import typer
from numpy.typing import NDArray

from larnn_client import Client

matplotlib.use("agg")

from matplotlib import pyplot as plt

from benchmarks.pictures import OURS, PEER
from benchmarks.server import ROOT, serving
from larnn_export.data.sound import SCALE, read_sound

RATE, FRAME, BLOCK, SHIFT, CHUNK = 16_000, 512, 512, 128, 32
Floats = NDArray[np.float32]


def sound(
    models: Annotated[Path, typer.Argument(help="with voice, mask and clean of docs/import.md")],
    file: Annotated[Path, typer.Argument(help="16-bit sound at 16 kHz, .wav")],
    noise: Annotated[float, typer.Option(min=0, help="added to it, 1 is full scale")] = 0.01,
    picture: Annotated[Path, typer.Option(help="where to draw it")] = (
        ROOT / "docs/pictures/import.png"
    ),
) -> None:
    """Stream a sound through the voice detector and the denoiser of docs/import.md, and draw it."""
    try:
        heard, rate = read_sound(file)
    except ValueError as error:
        raise typer.BadParameter(f"{error}") from error
    if rate != RATE:
        raise typer.BadParameter(f"{file} has {rate} samples a second: {RATE} are drawn")
    samples = (heard * SCALE + np.random.default_rng(0).normal(0, noise, len(heard))).astype("f4")
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    blocks = np.lib.stride_tricks.sliding_window_view(samples, BLOCK)[::SHIFT]
    with (
        serving(models.resolve(), "voice", 1) as server,
        Client(f"http://127.0.0.1:{server.port}") as client,
    ):
        speech = [answer.probabilities["speech"] for answer in _streamed(client, "voice", frames)]
        spectra = np.fft.rfft(blocks)
        masks = np.array([step.array for step in _streamed(client, "mask", np.abs(spectra))])
        guesses = np.fft.irfft(spectra * masks)
        cleaned = np.array([step.array for step in _streamed(client, "clean", guesses)])
    clean = np.zeros(len(samples))
    for index, block in enumerate(cleaned):
        clean[index * SHIFT : index * SHIFT + BLOCK] += block
    _draw(samples, np.array(speech), clean, picture)
    print(f"{picture}")


def _streamed(client: Client, model: str, steps: NDArray[Any]) -> list[Any]:
    """What the model answers to each step of a stream."""
    with client.stream(model=model, emit="every", binary=True) as stream:
        chunks = np.array_split(steps.astype(np.float32), max(len(steps) // CHUNK, 1))
        return [step for answer in stream.predict(chunks) for step in answer.steps or ()]


def _draw(samples: Floats, speech: NDArray[Any], clean: NDArray[Any], picture: Path) -> None:
    figure, (above, noisy, below) = plt.subplots(3, 1, figsize=(9, 6), sharex=True)
    time = np.arange(len(samples)) / RATE
    above.plot(time, samples / abs(samples).max() / 2 + 0.5, color=PEER, linewidth=0.4)
    above.step(np.arange(1, len(speech) + 1) * FRAME / RATE, speech, color=OURS, where="pre")
    above.set_title("the sound, and the probability of speech: voice", fontsize=9)
    for axes, signal, title in ((noisy, samples, "before"), (below, clean, "after: mask, clean")):
        axes.specgram(
            signal + 1e-6, NFFT=BLOCK, Fs=RATE, noverlap=BLOCK - SHIFT, vmin=-120, vmax=-40
        )
        axes.set_title(title, fontsize=9)
        axes.set_ylabel("Hz")
    below.set_xlabel("seconds")
    figure.tight_layout()
    picture.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(picture, dpi=80)
    plt.close(figure)
