"""`larnn stream` and `larnn classify` of a model that takes frames of samples: sound and arrays."""

from __future__ import annotations

import json
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from larnn_service.inputs import Frame, Input
from tests import live, wide
from tests.cli.command import Larnn

RATE, SAMPLES = 16_000, 160
SOUND = (np.random.default_rng(0).normal(0, 3000, 5 * SAMPLES + 7)).astype("<i2")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("frames")
    wide.publish(root, "frame", wide.FRAME)
    wide.publish(root, "floats", Input(frame=Frame(samples=SAMPLES, unit="1")))
    wide.publish(root, "range", wide.RANGE)
    with live.running(models=root, model="frame") as url:
        yield url


def _wav(file: Path, rate: int = RATE, channels: int = 1) -> Path:
    with wave.open(str(file), "wb") as sound:
        sound.setparams((channels, 2, rate, 0, "NONE", ""))
        sound.writeframes(np.repeat(SOUND, channels).tobytes())
    return file


@pytest.mark.parametrize("kind", ["wav", "stereo", "int16", "float", "frames"])
def test_samples_are_cut_into_frames(kind: str, larnn: Larnn, url: str, tmp_path: Path) -> None:
    scaled = SOUND * np.float32(wide.SCALE)
    whole = scaled[: 5 * SAMPLES].reshape(5, SAMPLES)
    file = tmp_path / ("sound.wav" if kind in ("wav", "stereo") else "sound.npy")
    match kind:
        case "wav" | "stereo":
            _wav(file, channels=1 + (kind == "stereo"))
        case "int16":
            np.save(file, SOUND)
        case "float":
            np.save(file, scaled)
        case "frames":
            np.save(file, SOUND[: 5 * SAMPLES].reshape(5, SAMPLES))
    asked = (file, "--url", url, "--json")
    done = larnn("stream", *asked, "--full-speed", "--every")
    assert done.code == 0, done.err
    levels = [json.loads(line)["values"]["level"] for line in done.out.splitlines()]
    np.testing.assert_allclose(levels, wide.expected(whole).ravel(), atol=1e-6)
    [result] = json.loads(larnn("classify", *asked).out)
    assert result["values"]["level"] == pytest.approx(levels[-1], abs=1e-6)
    assert (result["first_row"], result["steps"]) == (0, 5)


def test_what_does_not_fit_is_told(larnn: Larnn, url: str, tmp_path: Path) -> None:
    slow, sound = _wav(tmp_path / "slow.wav", 8000), _wav(tmp_path / "sound.wav")
    short, cube, whole = (tmp_path / f"{name}.npy" for name in ("short", "cube", "whole"))
    np.save(short, SOUND[:50])
    np.save(cube, SOUND[: 4 * SAMPLES].reshape(2, 1, 2, SAMPLES))
    np.save(whole, SOUND)
    (tmp_path / "none.wav").write_bytes(b"RIFF")
    for file, model, told in (
        (slow, "frame", "has 8000 samples a second; the model takes 16000: convert it"),
        (sound, "range", "sound.wav: sound is for a model that takes frames of samples"),
        (short, "frame", "short.npy has 50 samples; a frame has 160"),
        (cube, "frame", "numbers [steps, channels] or [sequences, steps, channels] are asked for"),
        (tmp_path / "none.wav", "frame", "none.wav cannot be read"),
        (whole, "floats", "the model takes no int16 samples: give it floats"),
        (sound, "floats", "the model takes no int16 samples: give it floats"),
    ):
        for command in (("stream", "--full-speed"), ("classify",)):
            done = larnn(*command, file, "--model", model, "--url", url)
            assert done.code == 2 and told in " ".join(done.err.split()), (file, done.err)
