"""A model that tells how unlike its training a step is, at every door of a running service."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from larnn_client import Client, Values
from tests import live, novel, toy
from tests.server.test_metrics import sample
from tests.server.test_stream import Talk

KNOWN, STRANGE = [[1.0, 2.0]], [[20.0, 2.0]]
DOORS = ("classify", "npy", "websocket", "steps")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    novel.publish(root)
    toy.publish(root)
    return root


@pytest.fixture(scope="module")
def url(models: Path) -> Iterator[str]:
    with live.running(models=models, model="novel") as url:
        yield url


@pytest.fixture(scope="module")
def doubting_url(models: Path) -> Iterator[str]:
    with live.running(models=models, model="novel", unsure=True) as url:
        yield url


def ask(url: str, door: str, steps: list[list[float]], **said: Any) -> dict[str, Any]:
    """The answer to a sequence, or to the first chunk of a stream."""
    with httpx.Client(base_url=url, timeout=60) as http:
        text = {name: json.dumps(value).strip('"') for name, value in said.items()}
        model = said.pop("model", "novel")
        if door == "classify":
            body = {"sequences": [steps], "model": model, **said}
            told = http.post("/classify", json=body).json()
            return dict(told["predictions"][0] if "predictions" in told else told)
        if door == "npy":
            file = io.BytesIO()
            np.save(file, np.array([steps], np.float32))
            headers = {"content-type": "application/x-npy"}
            array = file.getvalue()
            told = http.post("/classify", params=text, content=array, headers=headers).json()
            return dict(told["predictions"][0] if "predictions" in told else told)
        if door == "steps":
            stream = http.post("/streams", json={"model": model}).json()["stream"]
            body = {"offset": 0, "steps": steps, **said}
            return dict(http.post(f"/streams/{stream}/steps", json=body).json())
    query = "&".join(f"{name}={value}" for name, value in ({"model": model} | text).items())
    with connect(f"{live.websocket_url(url)}?{query}") as socket:
        talk = Talk(socket)
        talk.hear()
        return talk.chunk(0, steps)


@pytest.mark.parametrize("door", DOORS)
def test_unsure_is_said_where_it_is_asked_for(url: str, door: str) -> None:
    known, strange = (ask(url, door, steps, unsure=True) for steps in (KNOWN, STRANGE))
    assert known["label"] == "RIGHT"
    assert strange["label"] == "unsure"
    assert max(strange["probabilities"], key=strange["probabilities"].get) == "LEFT"
    assert ask(url, door, STRANGE)["label"] == "LEFT"
    assert ask(url, door, STRANGE, unsure=False)["label"] == "LEFT"


@pytest.mark.parametrize("door", DOORS)
def test_unsure_is_said_where_the_service_usually_does(doubting_url: str, door: str) -> None:
    assert ask(doubting_url, door, STRANGE)["label"] == "unsure"
    assert ask(doubting_url, door, KNOWN)["label"] == "RIGHT"
    assert ask(doubting_url, door, STRANGE, unsure=False)["label"] == "LEFT"
    assert ask(doubting_url, door, STRANGE, model="toy")["label"] == "LEFT"


@pytest.mark.parametrize("door", DOORS)
def test_a_model_that_cannot_tell_says_so(url: str, door: str) -> None:
    told = ask(url, door, STRANGE, model="toy", unsure=True)
    assert told["code"] == "bad_message"
    assert "toy cannot tell when it is unsure" in told["detail"]


def test_a_chunk_may_ask_for_itself_and_every_step_is_told(url: str) -> None:
    with connect(f"{live.websocket_url(url)}?model=novel&emit=every") as socket:
        talk = Talk(socket)
        talk.hear()
        plain = talk.chunk(0, [*STRANGE, *KNOWN])
        asked = talk.chunk(2, [[-20.0, 9.0], *STRANGE], unsure=True)
    assert [step["label"] for step in plain["predictions"]] == ["LEFT", "LEFT"]
    assert [step["label"] for step in asked["predictions"]] == ["RIGHT", "unsure"]


def test_the_number_and_its_threshold_are_told(url: str) -> None:
    with Client(url) as client, client.stream(model="novel", outputs=["novelty"]) as stream:
        [told] = stream.predict([np.array(STRANGE, np.float32)])
        [mine] = [model for model in client.models().models if model.name == "novel"]
    [_, output] = mine.outputs
    assert told.outputs["novelty"] == Values({"novelty": 20.0}, {"novelty": ""})
    assert output.unsure_above == novel.THRESHOLD


def test_what_is_seen_is_counted_in_the_bins_of_training(models: Path) -> None:
    with (
        live.running(models=models, model="novel") as url,
        httpx.Client(base_url=url, timeout=60) as http,
    ):
        for steps in ([[9.0, 0.0], [-1.0, 0.0]], [[1.0, 1.0]]):
            http.post("/classify", json={"sequences": [steps]})
        http.post("/classify", json={"sequences": [STRANGE], "model": "toy"})

        def counts(quantity: str, bins: int) -> list[float]:
            labels = {"model": "novel", "version": "1", "quantity": quantity}
            name = "larnn_seen_steps_total"
            return [sample(http, name, bin=str(index), **labels) for index in range(bins)]

        assert counts("left", 3) == [1, 1, 0]
        assert counts("novelty", 2) == [1, 1]
        assert sum(counts("confidence", 2)) == 2
        assert sample(http, "larnn_training_share", quantity="left", bin="0") == 0.5
        assert 'model="toy",quantity=' not in http.get("/metrics").text
