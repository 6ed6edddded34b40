"""Sizes are compared with the limits before a number is read, and what is large is read aside."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from larnn_service.admission.byte_budget import WaitingBytes
from larnn_service.backend.model_repository import Repository
from larnn_service.endpoints.decoding import Decoding
from larnn_service.endpoints.oip.inference import Asked, Inference
from larnn_service.endpoints.oip.tensors import Tensor
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.registry import at_start
from larnn_service.engine.store.memory import MemoryStore
from larnn_service.engine.streams.places import Places
from larnn_service.engine.streams.registry import Streams
from larnn_service.errors import BadShape, ServiceError, TooLarge
from larnn_service.settings import Settings
from larnn_service.stream_ids import StreamIds
from larnn_service.wire.large_json import LARGE
from tests import toy

LIMITS = Settings(
    concurrency=1,
    max_chunk_steps=50,
    max_sequences=3,
    max_sequence_steps=100,
    max_request_steps=200,
)
SEQUENCE: dict[str, Any] = {"sequence_id": 1, "sequence_start": True}


@pytest.fixture
async def inference(tmp_path: Path) -> AsyncIterator[Inference]:
    toy.publish(tmp_path)
    models = at_start(Repository(tmp_path, "cpu"), "toy", 1)
    streams = Streams(MemoryStore(), StreamIds("a"), models, Places(10), idle_timeout=60)
    engine, decoding = Engine(models, streams, LIMITS), Decoding(WaitingBytes(2**30))
    yield Inference(engine, LIMITS, decoding)
    decoding.close()
    engine.close()


def tensor(name: str, read: Any, *shape: int, size: int = 0) -> Tensor:
    return Tensor(name, "FP32" if name == "x" else "INT64", shape, size, read)


def never() -> NDArray[Any]:
    raise AssertionError("a number was read")


@pytest.mark.parametrize(
    ("shape", "lengths", "parameters", "error"),
    [
        ((1, 101, 2), None, {}, TooLarge),
        ((4, 1, 2), None, {}, TooLarge),
        ((2**31 - 1, 1, 2), None, {}, TooLarge),
        ((2**31 - 1, 1, 2), None, SEQUENCE, TooLarge),
        ((3, 70, 2), None, {}, TooLarge),
        ((3, 100, 2), [1, 1, 1], {}, TooLarge),
        ((1, 2**30, 2), [1], {}, TooLarge),
        ((1, 51, 2), None, SEQUENCE, TooLarge),
        ((1, 2**30, 2), [1], SEQUENCE, TooLarge),
        ((2, 1, 2), None, SEQUENCE, BadShape),
        ((1, 1, 3), None, {}, BadShape),
    ],
)
@pytest.mark.parametrize("size", [0, 2 * LARGE])
async def test_what_is_too_much_is_refused_unread(
    inference: Inference,
    shape: tuple[int, ...],
    lengths: list[int] | None,
    parameters: dict[str, Any],
    error: type[ServiceError],
    size: int,
) -> None:
    inputs = [tensor("x", never, *shape, size=size)]
    if lengths is not None:
        told = np.array(lengths)
        inputs.append(tensor("lengths", lambda: told, len(told)))
    with pytest.raises(error):
        await inference(Asked("toy", "", inputs, [], {"units": "mg"} | parameters), "")


@pytest.mark.parametrize("parameters", [{}, SEQUENCE])
@pytest.mark.parametrize("size", [0, 2 * LARGE])
async def test_what_is_large_is_read_in_a_thread(
    inference: Inference, parameters: dict[str, Any], size: int
) -> None:
    threads: list[threading.Thread] = []

    def read() -> NDArray[Any]:
        threads.append(threading.current_thread())
        return np.full(6, 1000, np.float32)

    inputs = [tensor("x", read, 1, 3, 2, size=size)]
    told = await inference(Asked("toy", "", inputs, [], {"units": "mg"} | parameters), "")
    np.testing.assert_allclose(told.outputs["logits"][0, -1], [3, 3, 3], rtol=1e-6)
    assert [each is threading.main_thread() for each in threads] == [not size]
