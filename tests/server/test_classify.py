"""POST /classify against the running service."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from tests import live
from tests.carried import npy

NPY = {"content-type": "application/x-npy"}


def test_sequences_of_different_lengths_each_get_their_last_logits(client: httpx.Client) -> None:
    sequences = [[[1, 2], [3, 4]], [[5, 6]], [[0.5, 0]] * 200]
    answer = client.post("/classify", json={"sequences": sequences, "logits": True}).json()
    assert (answer["model"], answer["version"]) == ("toy", 1)
    assert [p["logits"] for p in answer["predictions"]] == [[4, 6, 2], [5, 6, 1], [100, 0, 200]]
    assert [p["label"] for p in answer["predictions"]] == ["RIGHT", "RIGHT", "LONG"]
    for prediction in answer["predictions"]:
        assert sum(prediction["probabilities"].values()) == pytest.approx(1)


def test_logits_come_only_when_asked(client: httpx.Client) -> None:
    [prediction] = client.post("/classify", json={"sequences": [[[1, 2]]]}).json()["predictions"]
    assert set(prediction) == {"label", "probabilities"}


def test_an_npy_body_gets_the_answer_of_its_json(client: httpx.Client) -> None:
    windows = np.random.default_rng(0).normal(size=(3, 7, 2)).astype(np.float32)
    by_json = client.post("/classify", json={"sequences": windows.tolist(), "model": "toy"})
    by_npy = client.post("/classify?model=toy", content=npy(windows), headers=NPY)
    assert by_npy.status_code == 200
    assert by_npy.json() == by_json.json()


BAD_JSON_BODIES = [
    ('{"sequences": [[[1, 2], [3', "bad_json", "truncated"),
    ("", "bad_json", "truncated"),
    ("\xff", "bad_json", "not valid JSON"),
    ("[" * 100_000, "bad_message", "object"),
    ('{"sequences": ' + "[" * 100_000, "bad_json", "nested too deeply"),
    ("[]", "bad_message", "object"),
    ("{}", "bad_message", "sequences"),
    ('{"sequences": [[[1, 2]]], "sequence": 1}', "bad_message", "sequence"),
    ('{"sequences": [[[1, 2]]], "logits": 1}', "bad_message", "logits"),
    ('{"sequences": []}', "bad_shape", "sequences is empty"),
    ('{"sequences": [[[1, 2]], []]}', "bad_shape", "sequences[1] has no steps"),
    ('{"sequences": [[[1, 2], [3]]]}', "bad_shape", "sequences[0][1] has 1 numbers; toy takes 2"),
    ('{"sequences": [[[1, 2, 3]]]}', "bad_shape", "sequences[0][0] has 3 numbers; toy takes 2"),
    ('{"sequences": [[[]]]}', "bad_shape", "sequences[0][0] has 0 numbers"),
    ('{"sequences": [[1, 2]]}', "bad_shape", "sequences[0][0]"),
    ('{"sequences": [[[1, 2]], [[1, [2]]]]}', "bad_shape", "sequences[1][0][1]"),
    ('{"sequences": [[[1, NaN]]]}', "bad_value", "sequences[0][0][1]"),
    ('{"sequences": [[[1, 2]], [[-Infinity, 2]]]}', "bad_value", "sequences[1][0][0]"),
    ('{"sequences": [[[1, 1e999]]]}', "bad_value", "sequences[0][0][1]"),
    ('{"sequences": [[[1, 1e39]]]}', "bad_value", "sequences[0][0][1]"),
    ('{"sequences": [[[1, "2"]]]}', "bad_value", "sequences[0][0][1]"),
    ('{"sequences": [[[1, true]]]}', "bad_value", "sequences[0][0][1]"),
    ('{"sequences": [[[1, null]]]}', "bad_value", "sequences[0][0][1]"),
    ('{"sequences": [[[1, 2]], [[3e38, 2], [3e38, 2]]]}', "bad_value", "sequences[1]"),
]


@pytest.mark.parametrize(("body", "code", "detail"), BAD_JSON_BODIES)
def test_a_bad_body_gets_a_422_that_names_the_place(
    client: httpx.Client, body: str, code: str, detail: str
) -> None:
    answer = client.post("/classify", content=body.encode("latin-1"))
    problem = answer.json()
    assert answer.status_code == problem["status"] == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == code
    assert detail in problem["detail"]
    assert client.post("/classify", json={"sequences": [[[1, 2]]]}).status_code == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"not npy at all", "bad_message"),
        (npy(np.zeros((1, 2, 2), np.float32)).replace(b", 2)", b"\x00 2)"), "bad_message"),
        (npy(np.zeros((1, 2, 2), np.float32)).replace(b"(1, 2, 2), ", b"(-1,-2, 2),"), "bad_shape"),
        (npy(np.zeros((1, 2, 2), np.float32))[:-1], "bad_shape"),
        (npy(np.empty((2**31 - 1, 0, 2), np.float32)), "bad_shape"),
        (npy(np.empty((0, 1, 2), np.float32)), "bad_shape"),
        (npy(np.zeros((1, 2, 3), np.float32)), "bad_shape"),
        (npy(np.zeros((2, 2), np.float32)), "bad_shape"),
        (npy(np.zeros((1, 2, 2))), "bad_value"),
        (npy(np.full((1, 2, 2), np.nan, np.float32)), "bad_value"),
        (npy(np.asfortranarray(np.zeros((3, 2, 2), np.float32))), "bad_value"),
        (npy(np.zeros((0, 2, 2), np.float32)), "bad_shape"),
        (npy(np.zeros((1, 0, 2), np.float32)), "bad_shape"),
    ],
)
def test_a_bad_npy_body_gets_a_422(client: httpx.Client, body: bytes, code: str) -> None:
    answer = client.post("/classify", content=body, headers=NPY)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_an_unknown_model_is_a_404_that_lists_the_known(client: httpx.Client) -> None:
    answer = client.post("/classify", json={"sequences": [[[1, 2]]], "model": "other"})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_model")
    assert "toy" in answer.json()["detail"]


@pytest.fixture(scope="module")
def small(toy_models: Path) -> Iterator[httpx.Client]:
    """A service with low limits."""
    limits = {
        "max_body": 10_000,
        "max_sequences": 3,
        "max_sequence_steps": 20,
        "max_request_steps": 30,
    }
    with (
        live.running(models=toy_models, model="toy", **limits) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("steps", "limit"), [([1] * 4, "at most 3"), ([21], "at most 20"), ([15, 16], "at most 30")]
)
def test_a_request_over_a_limit_is_a_413_that_names_it(
    small: httpx.Client, steps: list[int], limit: str
) -> None:
    body = {"sequences": [[[1, 2]] * count for count in steps]}
    answer = small.post("/classify", json=body)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert limit in answer.json()["detail"]


def test_a_large_body_is_refused_with_and_without_its_length(small: httpx.Client) -> None:
    body = json.dumps({"sequences": [[[1, 2]]] * 5_000}).encode()
    for content in (body, iter([body[:20_000], body[20_000:]])):
        answer = small.post("/classify", content=content)
        assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
        assert "10000 bytes" in answer.json()["detail"]


def test_a_body_of_100_mb_is_refused_and_the_service_goes_on(client: httpx.Client) -> None:
    part = b" " * 1_000_000
    answer = client.post("/classify", content=(part for _ in range(100)))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert client.get("/readyz").status_code == 200
