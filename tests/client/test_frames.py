"""Samples in chunks of any size, for a model whose steps are frames of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larnn_client import AsyncClient, BadInput, BufferFull, Client
from larnn_client.frames import Frames, most_steps
from larnn_client.inputs import Frame, Input
from larnn_client.messages import Binary
from larnn_service.settings import Settings
from tests import live, wide

WIDTH = wide.FRAME.width
SAMPLES = np.random.default_rng(0).normal(size=7 * WIDTH + 45).astype(np.float32)
LEVELS = wide.expected(SAMPLES[: 7 * WIDTH].reshape(7, WIDTH))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("models")
    wide.publish(root, "frame", wide.FRAME)
    wide.publish(root, "range", wide.RANGE)
    with live.running(models=root, model="frame") as url:
        yield url


@given(
    width=st.integers(1, 9),
    sizes=st.lists(st.integers(0, 25), max_size=9),
)
def test_all_frames_come_and_the_rest_is_kept(width: int, sizes: list[int]) -> None:
    samples = np.arange(sum(sizes), dtype=np.float32)
    frames, found, start = Frames(width), [], 0
    for size in sizes:
        steps, left = frames.cut(samples[start : start + size])
        frames.keep(left)
        start += size
        found.append(steps)
        assert frames.left == start % width
    whole = np.concatenate(found) if found else np.empty((0, width))
    end = len(whole) * width
    assert whole.reshape(-1).tolist() == samples[:end].tolist()
    assert len(samples) - end == frames.left < width
    assert (frames.left + frames.padding()) % width == 0


@pytest.mark.parametrize(("width", "most"), [(1, 512), (160, 512), (1024, 128), (65_536, 2)])
def test_a_message_holds_no_more_than_a_service_takes(width: int, most: int) -> None:
    step = Input({str(index): "1" for index in range(width)}, frame=Frame(width, "1"))
    assert most_steps(step) == most
    assert most_steps(Input({"a": "1"})) is None
    longest = np.full((most, width), -1.2345678e-38, np.float32)
    assert len(json.dumps({"steps": longest.tolist()})) < Settings().max_message


@pytest.mark.parametrize("cuts", [[], [1], [WIDTH], [7, 300, 301], [WIDTH * 5, WIDTH * 5 + 1]])
def test_predictions_come_as_frames_are_full(url: str, cuts: list[int]) -> None:
    with Client(url) as client, client.stream(emit="every") as stream:
        chunks = np.split(SAMPLES, cuts)
        predictions = list(stream.predict(chunks if cuts else SAMPLES))
        told = [s.values["level"] for each in predictions for s in each.steps or ()]
        np.testing.assert_allclose(told, LEVELS, atol=1e-5)
        assert (stream.position, stream.left) == (7, 45)
        assert stream.finish() == WIDTH - 45
        assert stream.left == stream.finish() == 0
        padded = np.pad(SAMPLES, (0, WIDTH - 45)).reshape(8, WIDTH)
        level = stream.receive(timeout=60).values["level"]
        assert level == pytest.approx(wide.expected(padded)[-1], abs=1e-5)
        assert stream.end() == 8


async def test_the_asynchronous_stream_does_the_same(url: str) -> None:
    async with AsyncClient(url) as client, client.stream(emit="every") as stream:
        told = [
            step.values["level"]
            async for prediction in stream.predict(np.split(SAMPLES, [5, 800]), ahead=3)
            for step in prediction.steps or ()
        ]
        assert (stream.left, stream.finish()) == (45, WIDTH - 45)
        assert (await stream.receive()).position == await stream.end() == 8
    np.testing.assert_allclose(told, LEVELS, atol=1e-5)


@pytest.mark.parametrize("binary", [True, False, "int16"])
def test_int16_is_cut_likewise(url: str, binary: Binary) -> None:
    samples = np.random.default_rng(0).integers(-(2**15), 2**15, 2 * WIDTH + 9).astype(np.int16)
    scaled = samples.astype(np.float32) * wide.SCALE
    padded = np.pad(scaled, (0, WIDTH - 9)).reshape(3, WIDTH)
    with Client(url) as client, client.stream(binary=binary) as stream:
        *_, told = stream.predict(np.split(samples, [3, 200]))
        assert told.values["level"] == pytest.approx(wide.expected(padded[:2])[-1], abs=1e-6)
        stream.finish()
        level = stream.receive(timeout=60).values["level"]
        assert level == pytest.approx(wide.expected(padded)[-1], abs=1e-6)


def test_any_length_at_once_goes_in_several_messages(url: str) -> None:
    samples = np.zeros(WIDTH * 1300, np.float32)
    with Client(url) as client, client.stream() as stream:
        assert [p.position for p in stream.predict(samples)] == [512, 1024, 1300]
        assert stream.send(samples) == 2600
        assert stream.unread == 3
        assert [stream.receive(timeout=60).position for _ in range(3)] == [1812, 2324, 2600]


def test_what_is_refused_is_not_taken(url: str) -> None:
    with Client(url) as client, client.stream(max_buffered_steps=3) as stream:
        assert stream.send(SAMPLES[:45]) == 0
        for wrong in (SAMPLES[: 2 * WIDTH].reshape(-1, 2), SAMPLES[:320].reshape(2, 1, 160), 1.0):
            with pytest.raises(BadInput, match=r"samples are one row, or \[steps, 160\]"):
                stream.send(wrong)
        with pytest.raises(BadInput, match=r"samples are one row"):
            list(stream.predict([SAMPLES[:320].reshape(-1, 2)]))
        with pytest.raises(BadInput, match=r"samples\[1\] is no finite"):
            stream.send([0.0, np.nan])
        with pytest.raises(BufferFull):
            stream.send(SAMPLES)
        assert (stream.left, stream.unread) == (45, 0)
        assert stream.send(SAMPLES[45 : 2 * WIDTH]) == 2
        level = stream.receive(timeout=60).values["level"]
        assert level == pytest.approx(LEVELS[1], abs=1e-5)


def test_steps_that_are_no_frames_stay_rows(url: str) -> None:
    with Client(url) as client, client.stream(model="range") as stream:
        with pytest.raises(BadInput, match=r"a chunk is \[steps, 512\]"):
            stream.send(np.zeros(512))
        assert (stream.left, stream.finish()) == (0, 0)
        assert stream.send(np.zeros((1, 512))) == 1
        stream.receive(timeout=60)
