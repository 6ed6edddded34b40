"""gRPC's bidirectional ModelStreamInfer by NVIDIA's own client."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import numpy as np
import tritonclient.grpc as triton

from tests import live
from tests.oip.chunks import HALVES, TOTALS, WINDOW, new_name
from tests.oip.grpc_client import HEADERS, Conversation
from tests.server.test_metrics import sample


def test_a_conversation_answers_in_order(grpc_client: Any) -> None:
    conversation = Conversation(grpc_client)
    names = [new_name() for _ in range(3)]
    for index, (steps, _) in enumerate(HALVES):
        for name in names:
            ends = index == len(HALVES) - 1
            flags = {"sequence_start": index == 0, "sequence_end": ends}
            conversation.send([steps], sequence_id=name, request_id=f"{name}-{index}", **flags)
    for index, (_, totals) in enumerate(HALVES):
        for name in names:
            result, error = conversation.answer()
            assert error is None, error
            assert result.get_response().id == f"{name}-{index}"
            np.testing.assert_array_equal(result.as_numpy("logits"), [totals])
    grpc_client.stop_stream()


def test_a_conversation_goes_on_after_an_error(grpc_client: Any) -> None:
    conversation = Conversation(grpc_client)
    conversation.send([WINDOW], sequence_id=new_name())
    _, error = conversation.answer()
    assert "has not begun" in str(error)
    conversation.send([WINDOW])
    np.testing.assert_array_equal(conversation.logits(), [TOTALS])
    grpc_client.stop_stream()


def test_more_than_the_bound_may_be_sent_ahead(grpc_client: Any) -> None:
    conversation = Conversation(grpc_client)
    name = new_name()
    for index in range(200):
        conversation.send([[[1, 1]]], sequence_id=name, sequence_start=index == 0)
    counts = [conversation.logits()[0, 0, 2] for _ in range(200)]
    assert counts == list(range(1, 201))
    grpc_client.stop_stream()


def test_a_conversation_without_a_key_is_refused(
    grpc_process: live.Process, grpc_client: Any
) -> None:
    _, error = Conversation(grpc_client, headers={}).answer()
    assert error.status() == "StatusCode.UNAUTHENTICATED"
    grpc_client.stop_stream()
    told = {"door": "ModelStreamInfer", "code": "unauthorized"}
    with httpx.Client(base_url=grpc_process.url, headers=HEADERS, timeout=60) as client:
        assert sample(client, "larnn_errors_total", **told) == 1


def test_a_stopping_service_ends_conversations(toy_models: Path) -> None:
    with live.process(models=toy_models, model="toy", grpc_port=0, drain_timeout=60) as process:
        client = triton.InferenceServerClient(process.grpc)
        conversation = Conversation(client)
        conversation.send([WINDOW], sequence_id=7, sequence_start=True)
        np.testing.assert_array_equal(conversation.logits(), [TOTALS])
        process.popen.terminate()
        _, error = conversation.answer()
        assert error.status() == "StatusCode.UNAVAILABLE"
        assert "shutting down" in str(error)
        assert process.popen.wait(30) == 0
        client.stop_stream()
        client.close()
