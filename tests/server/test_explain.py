"""Where a step looked: what a stream is told of it, and that asking changes nothing else."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from tests import live

STEPS = np.load(live.ROOT / "examples" / "recording.npz")["signals"][:60].tolist()
SHAPE = (2, 8, 16)
"""Layers, heads and window size of the bundled model."""


def told(url: str, query: str, chunks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The answers to chunks of ten steps, with what each of them asks for."""
    with connect(f"{live.websocket_url(url)}?{query}") as socket:
        socket.recv()
        answers = []
        for number, asked in enumerate(chunks):
            offset = 10 * number
            chunk = {"type": "chunk", "offset": offset, "steps": STEPS[offset : offset + 10]}
            socket.send(json.dumps(chunk | asked))
            answers.append(json.loads(socket.recv()))
        return answers


def test_attention_comes_where_it_is_asked_for_and_sums_to_one(har_url: str) -> None:
    answers = told(har_url, "logits=true&explain=true", [{}, {"explain": False}, {}])
    assert [set(answer) >= {"attention"} for answer in answers] == [True, False, True]
    for answer in (answers[0], answers[2]):
        weights = np.array(answer["attention"])
        assert weights.shape == SHAPE
        np.testing.assert_allclose(weights.sum(axis=2), 1, atol=1e-3)
    first = np.array(answers[0]["attention"])
    assert not first[..., :7].any()  # nine steps came before the tenth
    plain = told(har_url, "logits=true", [{}, {"explain": True}, {}])
    assert [set(answer) >= {"attention"} for answer in plain] == [False, True, False]
    assert [a["logits"] for a in answers] == [a["logits"] for a in plain]


def test_over_http_and_of_steps_run_now_alone(har_url: str) -> None:
    with httpx.Client(base_url=har_url, timeout=60) as client:
        stream = client.post("/streams").json()["stream"]
        body = {"offset": 0, "steps": STEPS[:20], "explain": True}
        assert np.shape(client.post(f"/streams/{stream}/steps", json=body).json()["attention"]) == (
            SHAPE
        )
        assert "attention" not in client.post(f"/streams/{stream}/steps", json=body).json()


def test_models_say_whether_they_can_and_others_refuse(toy_url: str, har_url: str) -> None:
    for url, can in ((har_url, True), (toy_url, False)):
        listed = httpx.get(f"{url}/models").json()
        [default] = [each for each in listed["models"] if each["name"] == listed["default"]]
        assert default["explains"] is can
    with httpx.Client(base_url=toy_url) as client:
        stream = client.post("/streams").json()["stream"]
        steps = {"offset": 0, "steps": [[1, 2]]}
        refused = client.post(f"/streams/{stream}/steps", json=steps | {"explain": True})
        assert refused.status_code == 422
        assert "toy has no attention to show" in refused.json()["detail"]
        assert client.post(f"/streams/{stream}/steps", json=steps).json()["position"] == 1


@pytest.mark.parametrize("query", ["explain=maybe", "explain=2"])
def test_an_address_that_cannot_be_read_is_refused(toy_url: str, query: str) -> None:
    with connect(f"{live.websocket_url(toy_url)}?{query}") as socket:
        error = json.loads(socket.recv())
        assert error["code"] == "bad_message"
        assert "explain" in error["detail"]
