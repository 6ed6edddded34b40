"""Large answers are encoded in a thread, and say what small ones say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from larnn_service.admission.byte_budget import WaitingBytes
from larnn_service.endpoints.decoding import Decoding
from larnn_service.endpoints.exchange import answering_aside
from larnn_service.errors import Full
from larnn_service.tasks import outcome_of
from larnn_service.wire.http import Response
from tests import live


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize("fails", [False, True])
async def test_what_is_large_is_encoded_in_a_thread(size: int, fails: bool) -> None:
    decoding, threads = Decoding(WaitingBytes(2**20)), []

    def encode(result: int) -> Response:
        threads.append(threading.current_thread())
        if fails:
            raise Full("no room")
        return Response(b"x" * result)

    def begin(answer: Any) -> None:
        answering_aside(answer, encode, decoding, lambda result: result > 10, "")(size)

    told = await outcome_of(begin)
    assert isinstance(told, Full) if fails else told == Response(b"x" * size)
    assert [each is threading.main_thread() for each in threads] == [size == 1]
    decoding.close()


async def test_an_error_is_told_at_once() -> None:
    told: list[Response | Exception] = []
    error = Full("no room")
    answering_aside(
        told.append, lambda _: Response(b""), Decoding(WaitingBytes(2**20)), lambda _: True, ""
    )(error)
    assert told == [error]


@pytest.fixture(scope="module")
def client(toy_models: Path) -> Iterator[httpx.Client]:
    with (
        live.running(models=toy_models, model="toy") as url,
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


@pytest.mark.parametrize("steps", [2, 5_000])
def test_infer(client: httpx.Client, steps: int) -> None:
    x = np.random.default_rng(steps).integers(-9, 9, (2, steps, 2))
    tensor = {"name": "x", "datatype": "FP32", "shape": x.shape, "data": x.ravel().tolist()}
    told = client.post("/v2/models/toy/infer", json={"inputs": [tensor]}).json()["outputs"][0]
    logits = np.array(told["data"]).reshape(told["shape"])
    np.testing.assert_array_equal(logits[:, -1, :2], x.sum(axis=1))
    assert logits.shape == (2, steps, 3)


@pytest.mark.parametrize("steps", [2, 1_024])
def test_steps(client: httpx.Client, steps: int) -> None:
    stream = client.post("/streams", json={}).json()["stream"]
    chunk = {"offset": 0, "steps": [[1, 2]] * steps, "emit": "every", "logits": True}
    first, again = (client.post(f"/streams/{stream}/steps", json=chunk) for _ in range(2))
    assert first.json()["predictions"] == again.json()["predictions"]
    logits = [step["logits"] for step in first.json()["predictions"]]
    assert logits == [[n, 2 * n, n] for n in range(1, steps + 1)]
