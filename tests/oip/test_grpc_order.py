"""The steps of a sequence enter in the order in which its conversation sends them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as stubs

from service.app import create_app
from service.settings import Settings

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


async def test_one_that_is_refused_lets_nobody_past_who_waits(
    toy_models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """`slow` is in work, `own` waits for a place, `large` finds no room: `own` again comes last."""
    limits: dict[str, Any] = {"max_waiting_bytes": LIMIT, "max_body": LIMIT, "max_message": LIMIT}
    settings = Settings(models=toy_models, model="toy", grpc_port=0, max_ahead=1, **limits)
    app = create_app(settings)
    engine = app.state.engine
    with caplog.at_level(logging.INFO, "service.api.oip.grpc_server"):
        await app.state.grpc.start()
    async with grpc.aio.insecure_channel(caplog.messages[-1].split()[-1]) as channel:
        stub = stubs.GRPCInferenceServiceStub(channel)
        conversation = stub.ModelStreamInfer()
        for name in ("slow", "own"):
            await conversation.write(part(name, starts=True))
            assert count(await conversation.read()) == 1
        slow = next(iter(engine.streams))
        with engine.waiting_bytes.held() as held:
            held.set(LIMIT)
            async with slow.lock, engine.pacer.ahead():
                for asked in (part("slow"), part("own", 2), part("large", LARGE), part("own", 4)):
                    await conversation.write(asked)
                await stub.ModelInfer(part("other", starts=True))  # all of those have come
            answers = [await conversation.read() for _ in range(4)]
        assert answers[2].infer_response.parameters["code"].string_param == "full"
        assert [count(answers[index]) for index in (0, 1, 3)] == [2, 3, 7]
        conversation.cancel()
    await app.state.grpc.stop()
    engine.close()
