"""The published model through the running service, on all 2,947 test windows."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import dataclass
from itertools import pairwise

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from websockets.asyncio.client import connect

from larnn_export.data import DataError
from larnn_export.data.uci_har import load_split
from tests import live

CLIENTS = 64
BATCH = 64
EVERY = 5
"""One window in so many is streamed too."""


@dataclass
class Answers:
    labels: list[str]
    logits: NDArray[np.float64]


@pytest.fixture(scope="module")
def windows() -> tuple[NDArray[np.float32], list[int]]:
    try:
        test = load_split("test")
    except DataError as error:
        pytest.skip(str(error))
    return test.signals, test.labels.tolist()


@pytest.fixture(scope="module")
def labels(har_url: str) -> list[str]:
    names: list[str] = httpx.get(f"{har_url}/models", timeout=120).json()["models"][0]["labels"]
    return names


@pytest.fixture(scope="module")
def classified(har_url: str, windows: tuple[NDArray[np.float32], list[int]]) -> Answers:
    predictions = []
    with httpx.Client(base_url=har_url, timeout=600) as client:
        for start in range(0, len(windows[0]), BATCH):
            file = io.BytesIO()
            np.save(file, windows[0][start : start + BATCH])
            answer = client.post(
                "/classify?logits=true",
                content=file.getvalue(),
                headers={"content-type": "application/x-npy"},
            )
            predictions += answer.json()["predictions"]
    return Answers([p["label"] for p in predictions], np.array([p["logits"] for p in predictions]))


def test_the_accuracy_is_the_model_cards_to_the_last_window(
    classified: Answers, windows: tuple[NDArray[np.float32], list[int]], labels: list[str]
) -> None:
    truth = [labels[label] for label in windows[1]]
    right = sum(a == b for a, b in zip(classified.labels, truth, strict=True))
    manifest = json.loads((live.ROOT / "models/larnn-har/1/model.json").read_text())
    assert len(truth) == 2947
    assert right == round(manifest["metrics"]["test"]["accuracy"] * 2947)
    assert right / 2947 >= 0.92


async def test_64_clients_streaming_in_random_chunks_get_the_same_answers(
    har_url: str, classified: Answers, windows: tuple[NDArray[np.float32], list[int]]
) -> None:
    random, signals = np.random.default_rng(7), windows[0][::EVERY]
    cuts = [
        [0, *sorted(random.choice(np.arange(1, 128), random.integers(0, 12), replace=False)), 128]
        for _ in signals
    ]
    labels, expected = [""] * len(cuts), classified.logits[::EVERY]
    logits = np.empty_like(expected)

    async def client(mine: range) -> None:
        for index in mine:
            async with connect(live.websocket_url(har_url), max_queue=None) as socket:
                await socket.recv()
                for a, b in pairwise(cuts[index]):
                    steps = signals[index, a:b].tolist()
                    chunk = {"type": "chunk", "offset": int(a), "steps": steps, "logits": True}
                    await socket.send(json.dumps(chunk))
                    answer = json.loads(await socket.recv())
                    assert answer["position"] == b
                labels[index], logits[index] = answer["label"], answer["logits"]
                await socket.send('{"type": "end"}')
                assert json.loads(await socket.recv()) == {"type": "ended", "position": 128}

    await asyncio.gather(*(client(range(c, len(cuts), CLIENTS)) for c in range(CLIENTS)))
    assert labels == classified.labels[::EVERY]
    assert (np.abs(logits - expected) <= 1e-5 * np.maximum(1, np.abs(expected))).all()
