"""The steps of a sequence enter in the order in which its conversation sends them."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as stubs

from larnn_service.admission.byte_budget import FREE, Held, WaitingBytes
from larnn_service.app import create_app
from larnn_service.engine.engine import Engine
from larnn_service.settings import Settings
from tests.engine.streams.test_fair_queue import turns_until

LIMIT = 2**20
LARGE = 2**13
"""Steps of more bytes than are free."""


def part(name: str, steps: int = 1, *, starts: bool = False) -> Any:
    """The next steps of a sequence, all ones."""
    x = np.ones((1, steps, 2), np.float32)
    tensor = pb.ModelInferRequest.InferInputTensor(name="x", datatype="FP32", shape=x.shape)
    return pb.ModelInferRequest(
        model_name="toy",
        id=name,
        inputs=[tensor],
        raw_input_contents=[x.tobytes()],
        parameters={
            "sequence_id": pb.InferParameter(string_param=name),
            "sequence_start": pb.InferParameter(bool_param=starts),
        },
    )


def count(answer: Any) -> float:
    """How many steps of its sequence the toy has seen."""
    [raw] = answer.infer_response.raw_output_contents
    return float(np.frombuffer(raw, np.float32)[-1])


@dataclass
class Service:
    """With one place for what is sent ahead, and gRPC, in the test's own loop."""

    engine: Engine
    bytes: WaitingBytes
    stub: Any


@pytest.fixture
async def service(toy_models: Path, caplog: pytest.LogCaptureFixture) -> AsyncIterator[Service]:
    limits: dict[str, Any] = {"max_waiting_bytes": LIMIT, "max_body": LIMIT, "max_message": LIMIT}
    limits |= {"max_ahead": 1, "max_chunk_steps": LARGE}
    app = create_app(Settings(models=toy_models, model="toy", grpc_port=0, **limits))
    with caplog.at_level(logging.INFO, "larnn_service.endpoints.oip.grpc_server"):
        assert app.grpc is not None
        await app.grpc.start()
    async with grpc.aio.insecure_channel(caplog.messages[-1].split()[-1]) as channel:
        yield Service(app.engine, app.bytes, stubs.GRPCInferenceServiceStub(channel))
    await app.grpc.stop()
    app.engine.close()


async def begun(service: Service, *names: str) -> Any:
    """A conversation in which these sequences have had a step."""
    conversation = service.stub.ModelStreamInfer()
    for name in names:
        await conversation.write(part(name, starts=True))
        assert count(await conversation.read()) == 1
    return conversation


async def test_one_that_is_refused_lets_nobody_past_who_waits(service: Service) -> None:
    """`slow` is in work, `own` waits for a place, `large` finds no room: `own` again comes last."""
    engine, conversation = service.engine, await begun(service, "slow", "own")
    slow = next(iter(engine.streams))
    held = Held(service.bytes)
    held.set(LIMIT)
    async with slow.lock, engine.pacer.ahead():
        for asked in (part("slow"), part("own", 2), part("large", LARGE), part("own", 4)):
            await conversation.write(asked)
        await service.stub.ModelInfer(part("other", starts=True))  # all of those have come
    held.set(0)
    answers = [await conversation.read() for _ in range(4)]
    assert answers[2].infer_response.parameters["code"].string_param == "full"
    assert [count(answers[index]) for index in (0, 1, 3)] == [2, 3, 7]
    conversation.cancel()


async def test_who_hangs_up_gives_back_all_that_waited(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """What is in work is finished, and counts; what waits for a place or its turn does not."""
    engine, conversation = service.engine, await begun(service, "own")
    own = next(iter(engine.streams))
    async with own.lock:
        for _ in range(3):
            await conversation.write(part("own", LARGE))
        await turns_until(lambda: service.bytes.total > 3 * (8 * LARGE - FREE))
        conversation.cancel()
        await turns_until(lambda: service.bytes.total == 0)
    again = await begun(service, "another")
    for _ in range(3):
        await again.write(part("another"))
    assert [count(await again.read()) for _ in range(3)] == [2, 3, 4]
    async with own.lock:
        assert own.checkpoint.position == 1 + LARGE
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
    again.cancel()
