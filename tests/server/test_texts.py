"""A model of tokens through the running service: as texts, as tokens, whole and in chunks."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import torch
from websockets.sync.client import connect

from larnn_client import Client
from larnn_export.tokenizer import encode
from larnn_service.backend.model_repository import load_model
from larnn_service.errors import StartupError
from tests import live, texts, toy

TEXT = "The lazy fox jumps over five quick jugs"
BOUND = 1e-5


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    root = tmp_path_factory.mktemp("models")
    texts.publish(root)
    toy.publish(root)
    with live.running(models=root, model="reader", max_chunk_steps=50) as url:
        yield url


def tokens(text: str) -> list[list[int]]:
    [ids] = encode(texts.tokenizer(), [text])
    return [[token] for token in ids.tolist()]


def expected(text: str) -> list[float]:
    """The network's own last logits."""
    with torch.no_grad():
        logits, _ = texts.network()(torch.tensor([tokens(text)]))
    answer: list[float] = logits[0, -1].tolist()
    return answer


def classified(http: httpx.Client, **body: Any) -> list[list[float]]:
    answer = http.post("/classify", json={"logits": True, **body}).raise_for_status().json()
    return [prediction["logits"] for prediction in answer["predictions"]]


def test_texts_tokens_and_npy_get_the_networks_answer(http: httpx.Client) -> None:
    both = [TEXT, "a dog"]
    as_texts = classified(http, texts=both)
    np.testing.assert_allclose(as_texts, [expected(text) for text in both], atol=BOUND)
    assert classified(http, sequences=[tokens(text) for text in both]) == as_texts
    file = io.BytesIO()
    np.save(file, np.array([tokens(TEXT)], dtype=np.float32))
    headers = {"content-type": "application/x-npy"}
    answer = http.post("/classify?logits=true", content=file.getvalue(), headers=headers).json()
    assert answer["predictions"][0]["logits"] == as_texts[0]


def test_a_text_streamed_word_by_word_gives_the_answer_of_the_whole(url: str) -> None:
    with connect(live.websocket_url(url)) as socket:
        opened = json.loads(socket.recv(timeout=60))
        assert opened["channels"] == ["token"]
        position = 0
        for word in TEXT.split():
            chunk = {"type": "chunk", "offset": position, "text": word, "logits": True}
            socket.send(json.dumps(chunk))
            answer = json.loads(socket.recv(timeout=60))
            position = answer["position"]
            socket.send(json.dumps(chunk))  # its answer may have been lost: not read twice
            assert json.loads(socket.recv(timeout=60)) == answer
    assert position == len(tokens(TEXT))
    np.testing.assert_allclose(answer["logits"], expected(TEXT), atol=BOUND)


def test_the_client_library_sends_tokens(url: str) -> None:
    with Client(url) as client, client.stream() as stream:
        for prediction in stream.predict(np.array_split(tokens(TEXT), 5)):
            position = prediction.position
        assert stream.end() == position == len(tokens(TEXT))


def test_text_over_plain_http(http: httpx.Client) -> None:
    stream = http.post("/streams", json={}).json()["stream"]
    body = {"offset": 0, "text": TEXT, "logits": True}
    answer = http.post(f"/streams/{stream}/steps", json=body).raise_for_status().json()
    np.testing.assert_allclose(answer["logits"], expected(TEXT), atol=BOUND)


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        ({}, "bad_message", "either sequences or texts"),
        ({"texts": ["a"], "sequences": [[[1]]]}, "bad_message", "either sequences or texts"),
        ({"texts": []}, "bad_shape", "texts is empty"),
        ({"texts": ["a dog", " "]}, "bad_shape", "texts[1] has no steps"),
        ({"texts": [3]}, "bad_message", "texts[0]"),
        ({"texts": ["a"] * 1025}, "too_large", "1025 sequences"),
        ({"texts": ["a" * 524_289]}, "too_large", "texts[0] has 524289 characters"),
        ({"texts": ["a" * 500_000] * 5}, "too_large", "more than 1048576 bytes"),
        ({"texts": ["a"], "model": "toy"}, "bad_message", "texts[0]: toy takes numbers"),
        ({"sequences": [[[3], [1.5]]]}, "bad_value", "sequences[0][1][0]: reader takes tokens"),
        ({"sequences": [[[60]]]}, "bad_value", "from 0 to 59"),
        ({"sequences": [[[-1]]]}, "bad_value", "from 0 to 59"),
        ({"sequences": [[[1, 2]]]}, "bad_shape", "reader takes 1"),
    ],
)
def test_what_does_not_fit_is_refused(
    http: httpx.Client, body: dict[str, Any], code: str, says: str
) -> None:
    problem = http.post("/classify", json=body).json()
    assert problem["code"] == code
    assert says in problem["detail"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"offset": 0}, "bad_message"),
        ({"offset": 0, "text": "a", "steps": [[1]]}, "bad_message"),
        ({"offset": 0, "text": ""}, "empty_chunk"),
        ({"offset": 0, "text": "quick " * 51}, "too_large"),
    ],
)
def test_a_chunk_that_does_not_fit_leaves_the_stream_where_it_was(
    http: httpx.Client, body: dict[str, Any], code: str
) -> None:
    stream = http.post("/streams", json={}).json()["stream"]
    assert http.post(f"/streams/{stream}/steps", json=body).json()["code"] == code
    assert http.get(f"/streams/{stream}").json()["position"] == 0


def test_models_tells_how_many_tokens_there_are(http: httpx.Client) -> None:
    served = {model["name"]: model for model in http.get("/models").json()["models"]}
    assert served["reader"]["vocabulary"] == texts.VOCABULARY
    assert served["reader"]["sample_rate_hz"] is None
    assert served["toy"]["vocabulary"] is None


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"size": 61}, "vocabulary.size: 61, but the file has 60"),
        ({"sha256": "0" * 64}, "tokenizer.model: its SHA-256 is"),
        ({"file": "model.json"}, "model.json: its SHA-256 is"),
        ({"file": "absent.model"}, "absent.model: cannot be read"),
    ],
)
def test_a_tokenizer_that_is_another_is_refused(
    change: dict[str, Any], says: str, tmp_path: Path
) -> None:
    folder = texts.publish(tmp_path, **change)
    with pytest.raises(StartupError, match=says):
        load_model(folder, "cpu")
