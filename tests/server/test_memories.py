"""Every bundled model, whatever its memory: classified, streamed, moved, killed and resumed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from larnn_service.backend.model_repository import Repository
from larnn_service.contract import MANIFEST_FILE, Contract, Manifest
from tests import live

MODELS = sorted(path.name for path in (live.ROOT / "models").iterdir() if path.is_dir())
CUTS = (0, 1, 18, 19, 60, 97, 128)
BOUND = 1e-5
each_model = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def http(har_url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=har_url, timeout=600) as client:
        yield client


def contract(name: str) -> Contract:
    newest = Repository(live.ROOT / "models").newest(name)
    return Manifest.model_validate_json((newest / MANIFEST_FILE).read_text()).contract


def sequence(name: str) -> list[list[float]]:
    """128 steps that the model takes."""
    vocabulary, channels = contract(name).vocabulary, contract(name).input.width
    if vocabulary is not None:
        ids = np.random.default_rng(0).integers(0, vocabulary.size, (CUTS[-1], 1))
        return ids.tolist()  # type: ignore[no-any-return]
    window: dict[str, Any] = json.loads((live.ROOT / "examples/window.json").read_text())
    return [step[:channels] for step in window["sequences"][0]]


def whole(http: httpx.Client, name: str) -> Any:
    body = {"sequences": [sequence(name)], "model": name, "logits": True}
    return http.post("/classify", json=body).raise_for_status().json()["predictions"][0]["logits"]


def advance(http: httpx.Client, stream: str, name: str, start: int, end: int) -> dict[str, Any]:
    body = {"offset": start, "steps": sequence(name)[start:end], "logits": True}
    answer = http.post(f"/streams/{stream}/steps", json=body).raise_for_status()
    return answer.json()  # type: ignore[no-any-return]


def assert_same(answer: dict[str, Any], logits: list[float]) -> None:
    difference = np.abs(np.array(answer["logits"]) - logits) / np.maximum(1, np.abs(logits))
    assert difference.max() < BOUND


@each_model
def test_chunks_of_a_stream_end_where_the_whole_does(http: httpx.Client, name: str) -> None:
    """With its state taken to another stream after each chunk."""
    logits = whole(http, name)
    stream = http.post("/streams", json={"model": name}).json()["stream"]
    for start, end in pairwise(CUTS):
        answer = advance(http, stream, name, start, end)
        state = http.get(f"/streams/{stream}/state").raise_for_status().content
        stream = http.post("/streams", json={"model": name}).json()["stream"]
        http.put(f"/streams/{stream}/state", content=state).raise_for_status()
    assert answer["position"] == CUTS[-1]
    assert_same(answer, logits)


def test_the_reader_tells_praise_from_blame(http: httpx.Client) -> None:
    texts = ["One of the best films of the year, I loved it.", "An awful, boring waste of time."]
    body = {"model": "rra-imdb", "texts": texts}
    answer = http.post("/classify", json=body).raise_for_status().json()
    assert [each["label"] for each in answer["predictions"]] == ["positive", "negative"]


def test_a_killed_service_goes_on_with_every_model(tmp_path: Path, http: httpx.Client) -> None:
    settings = {"store": f"sqlite:///{tmp_path}/streams.db", "models": live.ROOT / "models"}
    streams = {}
    with live.process(**settings) as service, httpx.Client(base_url=service.url) as first:
        for name in MODELS:
            streams[name] = first.post("/streams", json={"model": name}).json()["stream"]
            assert advance(first, streams[name], name, 0, 60)["durable"] == 60
        service.kill()
    with live.process(**settings) as service, httpx.Client(base_url=service.url) as second:
        for name, stream in streams.items():
            answer = advance(second, stream, name, 60, CUTS[-1])
            assert answer["position"] == CUTS[-1]
            assert_same(answer, whole(http, name))
