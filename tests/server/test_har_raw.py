"""The published model that takes a phone's raw channels, through the running service."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import httpx
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from larnn_export.data import DataError
from larnn_export.data.hapt import load_recordings
from larnn_export.networks.phone_filters import filter_recording
from larnn_export.publish import served
from tests import live

MODEL = "larnn-har-raw"
FOLDER = live.ROOT / "models" / MODEL / "1"
STEPS = 1500
BOUND = 1e-5


@pytest.fixture(scope="module")
def signals() -> NDArray[np.float32]:
    """The first half minute of a test subject's recording."""
    try:
        recordings = load_recordings()
    except DataError as error:
        pytest.skip(str(error))
    return next(r.signals for r in recordings if r.experiment == 54)[:STEPS]


@pytest.fixture
def client(har_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=har_url, timeout=120) as client:
        yield client


def last_logits(client: httpx.Client, model: str, signals: NDArray[np.float32]) -> list[float]:
    file = io.BytesIO()
    np.save(file, signals[None])
    answer = client.post(
        f"/classify?model={model}&logits=true",
        content=file.getvalue(),
        headers={"content-type": "application/x-npy"},
    ).raise_for_status()
    logits: list[float] = answer.json()["predictions"][0]["logits"]
    return logits


def advance(
    client: httpx.Client, stream: str, offset: int, steps: NDArray[np.float32]
) -> list[float]:
    chunk = {"offset": offset, "steps": steps.tolist(), "logits": True}
    answer = client.post(f"/streams/{stream}/steps", json=chunk).raise_for_status()
    logits: list[float] = answer.json()["logits"]
    return logits


def test_it_answers_as_the_filtered_channels_do_one_step_late(
    client: httpx.Client, signals: NDArray[np.float32]
) -> None:
    """From an empty queue too: the first of its steps is before the recording, at rest."""
    channels = filter_recording(signals)[:-1]
    at_rest = np.zeros_like(channels[:1])
    network = served(FOLDER / "checkpoint").network
    with torch.no_grad():
        filtered = network(torch.from_numpy(np.concatenate([at_rest, channels])[None]))[0][0, -1]
    raw = last_logits(client, MODEL, signals)
    np.testing.assert_allclose(raw, filtered.numpy(), atol=1e-4)


def test_a_stream_is_cut_and_moved_as_it_likes(
    client: httpx.Client, signals: NDArray[np.float32]
) -> None:
    """The filters' float64 state goes through a file into another stream."""
    expected = last_logits(client, MODEL, signals)
    first, second = (
        client.post("/streams", json={"model": MODEL}).raise_for_status().json()["stream"]
        for _ in range(2)
    )
    for start, end in ((0, 1), (1, 700), (700, 731)):
        advance(client, first, start, signals[start:end])
    state = client.get(f"/streams/{first}/state").raise_for_status()
    client.put(f"/streams/{second}/state", content=state.content).raise_for_status()
    for stream in (first, second):
        logits = advance(client, stream, 731, signals[731:])
        np.testing.assert_allclose(logits, expected, rtol=BOUND, atol=BOUND)


def test_its_card_says_as_many_windows_right_as_the_nine_channels_give() -> None:
    nine, raw = (
        json.loads((FOLDER / "checkpoint" / name).read_text())["accuracy"]
        for name in ("evaluation.json", "evaluation-raw.json")
    )
    card = json.loads((FOLDER / "model.json").read_text())["metrics"]["test"]["accuracy"]
    assert card == raw and abs(raw - nine) <= 0.003
