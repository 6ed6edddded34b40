"""Modules of one's own through the running service: one that remembers nothing, one of tokens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from torch import Tensor

from larnn_client import Client
from larnn_export.own_network import publish_module
from tests import live
from tests.parity.own_contracts import HIDDEN, contract
from tests.parity.own_modules import Reader, Stateless

STEPS = [[1.0, 2.0], [3.0, -4.0], [0.5, 0.0]]
TOKENS = [[3], [19], [0]]


@pytest.fixture(scope="module")
def modules() -> tuple[Stateless, Reader]:
    torch.manual_seed(0)
    return Stateless().eval(), Reader().eval()


@pytest.fixture(scope="module")
def models(
    modules: tuple[Stateless, Reader], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    root = tmp_path_factory.mktemp("models")
    publish_module(modules[0], contract(), "plain", root=root)
    publish_module(modules[1], contract(HIDDEN, tokens=20), "reader", root=root)
    yield root


def _logits(answer: Tensor) -> list[list[float]]:
    found: list[list[float]] = answer[0].tolist()
    return found


def _close(answers: list[dict[str, Any]], logits: list[list[float]]) -> None:
    np.testing.assert_allclose([each["logits"] for each in answers], logits, atol=1e-5)


def test_one_without_state_is_streamed_stored_forked_and_resumed(
    models: Path, modules: tuple[Stateless, Reader], tmp_path: Path
) -> None:
    with torch.no_grad():
        logits = _logits(modules[0](torch.tensor([STEPS]))[0])
    settings = {"models": models, "model": "plain", "store": f"sqlite:///{tmp_path}/streams.db"}
    first = {"offset": 0, "steps": STEPS[:2], "logits": True, "emit": "every", "acked": 0}
    last = {"offset": 2, "steps": STEPS[2:], "logits": True, "acked": 0}
    with live.running(**settings) as url, httpx.Client(base_url=url, timeout=120) as http:
        classified = http.post("/classify", json={"sequences": [STEPS], "logits": True}).json()
        _close(classified["predictions"], logits[-1:])
        stream, other = (http.post("/streams", json={}).json()["stream"] for _ in range(2))
        answer = http.post(f"/streams/{stream}/steps", json=first).raise_for_status().json()
        _close(answer["predictions"], logits[:2])
        state = http.get(f"/streams/{stream}/state").raise_for_status().content
        taken = http.put(f"/streams/{other}/state", content=state).raise_for_status().json()
        fork = http.post(f"/streams/{stream}/fork").raise_for_status().json()
        assert (taken["position"], fork["position"]) == (2, 2)
        with Client(url) as client, client.stream(logits=True) as mine:
            assert [each.position for each in mine.predict([STEPS, STEPS])] == [3, 6]
    with live.running(**settings) as url:
        for name in (stream, other, fork["stream"]):
            answer = httpx.post(f"{url}/streams/{name}/steps", json=last, timeout=120).json()
            assert answer["position"] == 3
            _close([answer], logits[2:])


def test_tokens_need_no_tokenizer_and_texts_are_refused(
    models: Path, modules: tuple[Stateless, Reader]
) -> None:
    with torch.no_grad():
        logits = _logits(modules[1](torch.tensor([TOKENS]), torch.zeros(1, 8))[0])
    with live.running(models=models, model="reader") as url:
        asked = {"sequences": [TOKENS], "logits": True}
        answer = httpx.post(f"{url}/classify", json=asked, timeout=120).json()
        _close(answer["predictions"], logits[-1:])
        refused = httpx.post(f"{url}/classify", json={"texts": ["a film"]}, timeout=120)
        beyond = httpx.post(f"{url}/classify", json={"sequences": [[[20]]]}, timeout=120)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_message")
    assert "reader takes numbers; send them as steps" in refused.json()["detail"]
    assert "whole numbers from 0 to 19" in beyond.json()["detail"]
