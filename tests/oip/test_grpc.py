"""The protocol over gRPC by NVIDIA's own client, against the service as a process."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException

from larnn_service.endpoints.oip.grpc_status import CODE_KEY, STATUS
from larnn_service.wire.error_responses import FAILURES
from tests import live
from tests.oip.chunks import HALVES, TOTALS, WINDOW, new_name
from tests.oip.grpc_client import HEADERS, infer, x_of
from tests.server.test_access import TABLET

SERVICE = "/inference.GRPCInferenceService/"


def test_health_needs_no_key(grpc_client: Any) -> None:
    assert grpc_client.is_server_live()
    assert grpc_client.is_server_ready()


def test_metadata(grpc_client: Any) -> None:
    assert "sequence" in grpc_client.get_server_metadata(headers=HEADERS).extensions
    described = grpc_client.get_model_metadata("toy", headers=HEADERS, as_json=True)
    assert [tensor["name"] for tensor in described["inputs"]] == ["x", "lengths"]
    assert [tensor["name"] for tensor in described["outputs"]] == ["logits"]
    config = grpc_client.get_model_config("toy", "1", headers=HEADERS).config
    assert config.parameters["labels"].string_value == "LEFT,RIGHT,LONG"
    assert grpc_client.is_model_ready("toy", headers=HEADERS)


def test_whole_sequences(grpc_client: Any) -> None:
    np.testing.assert_array_equal(infer(grpc_client, [WINDOW, WINDOW]), [TOTALS, TOTALS])


def test_tensors_as_typed_contents(grpc_process: live.Process) -> None:
    tensor = pb.ModelInferRequest.InferInputTensor(name="x", datatype="FP32", shape=[1, 3, 2])
    tensor.contents.fp32_contents.extend(WINDOW.ravel())
    lengths = pb.ModelInferRequest.InferInputTensor(name="lengths", datatype="INT64", shape=[1])
    lengths.contents.int64_contents.append(2)
    answer = ask(grpc_process, "ModelInfer", request(inputs=[tensor, lengths]))
    logits = np.frombuffer(answer.raw_output_contents[0], "<f4").reshape(3, 3)
    np.testing.assert_array_equal(logits[:2], TOTALS[:2])
    assert not logits[2].any()


def request(**fields: Any) -> Any:
    return pb.ModelInferRequest(model_name="toy", **fields)


def ask(grpc_process: live.Process, call: str, message: Any) -> Any:
    answers = {"ModelInfer": pb.ModelInferResponse, "TraceSetting": pb.TraceSettingResponse}
    with grpc.insecure_channel(grpc_process.grpc) as channel:
        door = channel.unary_unary(
            SERVICE + call,
            request_serializer=type(message).SerializeToString,
            response_deserializer=answers[call].FromString,
        )
        return door(message, metadata=tuple(HEADERS.items()), timeout=60)


@pytest.mark.parametrize("data", [b"\xff", b"\x0a\x05toy", b"\x0a\x02\xc3\x28"])
@pytest.mark.parametrize("call", ["ModelInfer", "ModelReady"])
def test_bytes_that_are_no_protobuf(grpc_process: live.Process, call: str, data: bytes) -> None:
    with (
        grpc.insecure_channel(grpc_process.grpc) as channel,
        pytest.raises(grpc.RpcError, match="no protobuf") as raised,
    ):
        door: Any = channel.unary_unary(SERVICE + call)
        door(data, metadata=tuple(HEADERS.items()), timeout=60)
    told: Any = raised.value
    assert told.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert dict(told.trailing_metadata())[CODE_KEY] == "bad_message"


def test_a_conversation_goes_on_behind_bytes_that_are_no_protobuf(
    grpc_process: live.Process,
) -> None:
    x = pb.ModelInferRequest.InferInputTensor(name="x", datatype="FP32", shape=[1, 3, 2])
    x.contents.fp32_contents.extend(WINDOW.ravel())
    good = request(inputs=[x]).SerializeToString()
    with grpc.insecure_channel(grpc_process.grpc) as channel:
        door: Any = channel.stream_stream(
            f"{SERVICE}ModelStreamInfer",
            response_deserializer=pb.ModelStreamInferResponse.FromString,
        )
        sent = iter([b"\xff", good])
        bad, answer = door(sent, metadata=tuple(HEADERS.items()), timeout=60)
    assert bad.infer_response.parameters["code"].string_param == "bad_message"
    assert not answer.error_message


@pytest.mark.parametrize("kind", [int, str])
def test_a_sequence_remembers(grpc_client: Any, kind: type) -> None:
    name = kind(new_name())
    for index, (steps, totals) in enumerate(HALVES):
        ends = index == len(HALVES) - 1
        flags = {"sequence_start": index == 0, "sequence_end": ends}
        logits = infer(grpc_client, [steps], sequence_id=name, **flags)
        np.testing.assert_array_equal(logits, [totals])
    with pytest.raises(InferenceServerException, match="ended"):
        infer(grpc_client, [WINDOW], sequence_id=name)


def test_with_an_offset_a_request_can_be_sent_again(grpc_client: Any) -> None:
    name = new_name()
    for start, offset, (steps, totals) in zip([True, False], [0, 1], HALVES, strict=False):
        for _ in range(2):
            part = {"sequence_id": name, "sequence_start": start}
            logits = infer(grpc_client, [steps], parameters={"offset": offset}, **part)
            np.testing.assert_array_equal(logits, [totals])


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        ({"headers": {}}, "UNAUTHENTICATED", "send a key"),
        ({"headers": {"authorization": "Bearer wrong"}}, "UNAUTHENTICATED", "no key of"),
        ({"model_version": "7"}, "NOT_FOUND", "version 7"),
        ({"model_version": "x"}, "NOT_FOUND", "versions are numbers"),
        ({"sequence_id": 2**62}, "NOT_FOUND", "has not begun"),
        ({"parameters": {"offset": 3}}, "INVALID_ARGUMENT", "need a sequence_id"),
        ({"sequence_id": 1, "parameters": {"offset": "3"}}, "INVALID_ARGUMENT", "whole number"),
    ],
)
def test_errors_have_their_status(
    grpc_client: Any, options: dict[str, Any], status: str, said: str
) -> None:
    with pytest.raises(InferenceServerException, match=said) as raised:
        infer(grpc_client, [WINDOW], **options)
    assert raised.value.status() == f"StatusCode.{status}"


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (x_of([WINDOW], datatype="FP64"), "FP64; send FP32"),
        (x_of([WINDOW], name="total"), "its state stays here"),
        (x_of(WINDOW), r"send \[batch, steps, 2\]"),
        (x_of([[[np.nan, 1]]]), r"x\[0\]\[0\]\[0\]"),
    ],
)
def test_bad_tensors_are_refused(grpc_client: Any, tensor: Any, said: str) -> None:
    with pytest.raises(InferenceServerException, match=said) as raised:
        grpc_client.infer("toy", [tensor], headers=HEADERS)
    assert raised.value.status() == "StatusCode.INVALID_ARGUMENT"


TENSOR = pb.ModelInferRequest.InferInputTensor(name="x", datatype="FP32", shape=[1, 1, 2])
FULL = pb.ModelInferRequest.InferInputTensor(
    name="x", datatype="FP32", shape=[1, 1, 2], contents={"fp32_contents": [1, 2]}
)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"inputs": [TENSOR], "raw_input_contents": [b"12345678", b"1"]}, "2 raw_input_contents"),
        ({"inputs": [FULL], "raw_input_contents": [b"12345678"]}, "not both"),
        ({"inputs": [TENSOR], "raw_input_contents": [b"1234567"]}, "no whole number"),
        ({"inputs": [TENSOR]}, "0 numbers"),
    ],
)
def test_malformed_requests_are_refused(
    grpc_process: live.Process, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(grpc.RpcError, match=said) as raised:
        ask(grpc_process, "ModelInfer", request(**fields))
    assert isinstance(raised.value, grpc.Call)
    trailing = {str(key): value for key, value in raised.value.trailing_metadata()}
    assert trailing[CODE_KEY] in ("bad_message", "bad_shape")


def test_what_is_not_offered_is_unimplemented(grpc_process: live.Process) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        ask(grpc_process, "TraceSetting", pb.TraceSettingRequest())
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_sequence_is_its_owners_alone(grpc_client: Any) -> None:
    name = new_name()
    infer(grpc_client, [WINDOW], sequence_id=name, sequence_start=True)
    others = {"authorization": f"Bearer {TABLET}"}
    with pytest.raises(InferenceServerException, match="has not begun"):
        infer(grpc_client, [WINDOW], sequence_id=name, headers=others)
    logits = infer(grpc_client, [WINDOW], sequence_id=name, sequence_start=True, headers=others)
    np.testing.assert_array_equal(logits, [TOTALS])


def test_only_operators_load_and_unload(grpc_client: Any) -> None:
    others = {"authorization": f"Bearer {TABLET}"}
    for change in (grpc_client.load_model, grpc_client.unload_model):
        with pytest.raises(InferenceServerException, match="only an operator") as raised:
            change("toy", headers=others)
        assert raised.value.status() == "StatusCode.PERMISSION_DENIED"
    grpc_client.load_model("toy", headers=HEADERS)
    index = grpc_client.get_model_repository_index(headers=HEADERS, as_json=True)
    assert index["models"] == [{"name": "toy", "version": "1", "state": "READY"}]
    with pytest.raises(InferenceServerException, match="no other configuration"):
        grpc_client.load_model("toy", headers=HEADERS, config="{}")


def test_every_error_has_a_status() -> None:
    assert STATUS.keys() == FAILURES.keys()


async def test_async_client(grpc_process: live.Process) -> None:
    import tritonclient.grpc.aio as aio

    async with aio.InferenceServerClient(grpc_process.grpc) as client:
        answers = await asyncio.gather(
            *(client.infer("toy", [x_of([WINDOW])], headers=HEADERS) for _ in range(8))
        )
    for answer in answers:
        np.testing.assert_array_equal(answer.as_numpy("logits"), [TOTALS])


def test_calls_are_measured_as_requests_are(grpc_process: live.Process, grpc_client: Any) -> None:
    with pytest.raises(InferenceServerException):
        infer(grpc_client, [WINDOW], model_version="7")
    infer(grpc_client, [WINDOW])
    metrics = httpx.get(f"{grpc_process.url}/metrics", headers=HEADERS, timeout=60).text
    requests = "larnn_http_request_duration_seconds_count"
    assert f'{requests}{{door="ModelInfer",model="toy",status="OK",version="1"}}' in metrics
    assert f'{requests}{{door="ModelInfer",model="",status="NOT_FOUND",version=""}}' in metrics
    assert 'larnn_errors_total{code="unknown_model",door="ModelInfer"}' in metrics
