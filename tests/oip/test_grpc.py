"""The protocol over gRPC by NVIDIA's own client, against the service as a process."""

from __future__ import annotations

import asyncio
import queue
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
import tritonclient.grpc as triton
import trustme
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import InferenceServerException

from service.api.failures import FAILURES
from service.api.oip.grpc_status import CODE_KEY, STATUS
from tests import live
from tests.oip.chunks import HALVES, TOTALS, WINDOW, new_name
from tests.server.test_access import KEYS, PHONE, TABLET

SERVICE = "/inference.GRPCInferenceService/"


@pytest.fixture(scope="module")
def process(toy_models: Path) -> Iterator[live.Process]:
    with live.process(
        models=toy_models, model="toy", grpc_port=0, api_keys=KEYS, operators="phone"
    ) as process:
        yield process


@pytest.fixture
def client(process: live.Process) -> Iterator[Any]:
    client = triton.InferenceServerClient(process.grpc)
    yield client
    client.close()


HEADERS = {"authorization": f"Bearer {PHONE}"}


def x_of(steps: Any, name: str = "x", datatype: str = "FP32") -> Any:
    array = np.asarray(steps, np.float64 if datatype == "FP64" else np.float32)
    tensor = triton.InferInput(name, array.shape, datatype)
    tensor.set_data_from_numpy(array)
    return tensor


def infer(client: Any, steps: Any, **options: Any) -> NDArray[np.float32]:
    options.setdefault("headers", HEADERS)
    answer = client.infer("toy", [x_of(steps)], client_timeout=60, **options)
    logits: NDArray[np.float32] = answer.as_numpy("logits")
    return logits


def test_health_needs_no_key(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()


def test_metadata(client: Any) -> None:
    assert "sequence" in client.get_server_metadata(headers=HEADERS).extensions
    described = client.get_model_metadata("toy", headers=HEADERS, as_json=True)
    assert [tensor["name"] for tensor in described["inputs"]] == ["x", "lengths"]
    assert [tensor["name"] for tensor in described["outputs"]] == ["logits"]
    config = client.get_model_config("toy", "1", headers=HEADERS).config
    assert config.parameters["labels"].string_value == "LEFT,RIGHT,LONG"
    assert client.is_model_ready("toy", headers=HEADERS)


def test_whole_sequences(client: Any) -> None:
    np.testing.assert_array_equal(infer(client, [WINDOW, WINDOW]), [TOTALS, TOTALS])


def test_tensors_as_typed_contents(process: live.Process) -> None:
    tensor = pb.ModelInferRequest.InferInputTensor(name="x", datatype="FP32", shape=[1, 3, 2])
    tensor.contents.fp32_contents.extend(WINDOW.ravel())
    lengths = pb.ModelInferRequest.InferInputTensor(name="lengths", datatype="INT64", shape=[1])
    lengths.contents.int64_contents.append(2)
    answer = ask(process, "ModelInfer", request(inputs=[tensor, lengths]))
    logits = np.frombuffer(answer.raw_output_contents[0], "<f4").reshape(3, 3)
    np.testing.assert_array_equal(logits[:2], TOTALS[:2])
    assert not logits[2].any()


def request(**fields: Any) -> Any:
    return pb.ModelInferRequest(model_name="toy", **fields)


def ask(process: live.Process, call: str, message: Any) -> Any:
    answers = {"ModelInfer": pb.ModelInferResponse, "ModelStatistics": pb.ModelStatisticsResponse}
    with grpc.insecure_channel(process.grpc) as channel:
        door = channel.unary_unary(
            SERVICE + call,
            request_serializer=type(message).SerializeToString,
            response_deserializer=answers[call].FromString,
        )
        return door(message, metadata=tuple(HEADERS.items()), timeout=60)


@pytest.mark.parametrize("kind", [int, str])
def test_a_sequence_remembers(client: Any, kind: type) -> None:
    name = kind(new_name())
    for index, (steps, totals) in enumerate(HALVES):
        ends = index == len(HALVES) - 1
        flags = {"sequence_start": index == 0, "sequence_end": ends}
        logits = infer(client, [steps], sequence_id=name, **flags)
        np.testing.assert_array_equal(logits, [totals])
    with pytest.raises(InferenceServerException, match="ended"):
        infer(client, [WINDOW], sequence_id=name)


def test_with_an_offset_a_request_can_be_sent_again(client: Any) -> None:
    name = new_name()
    for start, offset, (steps, totals) in zip([True, False], [0, 1], HALVES, strict=False):
        for _ in range(2):
            part = {"sequence_id": name, "sequence_start": start}
            logits = infer(client, [steps], parameters={"offset": offset}, **part)
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
    client: Any, options: dict[str, Any], status: str, said: str
) -> None:
    with pytest.raises(InferenceServerException, match=said) as raised:
        infer(client, [WINDOW], **options)
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
def test_bad_tensors_are_refused(client: Any, tensor: Any, said: str) -> None:
    with pytest.raises(InferenceServerException, match=said) as raised:
        client.infer("toy", [tensor], headers=HEADERS)
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
    process: live.Process, fields: dict[str, Any], said: str
) -> None:
    with pytest.raises(grpc.RpcError, match=said) as raised:
        ask(process, "ModelInfer", request(**fields))
    assert isinstance(raised.value, grpc.Call)
    trailing = {str(key): value for key, value in raised.value.trailing_metadata()}
    assert trailing[CODE_KEY] in ("bad_message", "bad_shape")


def test_what_is_not_offered_is_unimplemented(process: live.Process) -> None:
    with pytest.raises(grpc.RpcError) as raised:
        ask(process, "ModelStatistics", pb.ModelStatisticsRequest())
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_sequence_is_its_owners_alone(client: Any) -> None:
    name = new_name()
    infer(client, [WINDOW], sequence_id=name, sequence_start=True)
    others = {"authorization": f"Bearer {TABLET}"}
    with pytest.raises(InferenceServerException, match="has not begun"):
        infer(client, [WINDOW], sequence_id=name, headers=others)
    logits = infer(client, [WINDOW], sequence_id=name, sequence_start=True, headers=others)
    np.testing.assert_array_equal(logits, [TOTALS])


def test_only_operators_load_and_unload(client: Any) -> None:
    others = {"authorization": f"Bearer {TABLET}"}
    for change in (client.load_model, client.unload_model):
        with pytest.raises(InferenceServerException, match="only an operator") as raised:
            change("toy", headers=others)
        assert raised.value.status() == "StatusCode.PERMISSION_DENIED"
    client.load_model("toy", headers=HEADERS)
    index = client.get_model_repository_index(headers=HEADERS, as_json=True)
    assert index["models"] == [{"name": "toy", "version": "1", "state": "READY"}]
    with pytest.raises(InferenceServerException, match="no other configuration"):
        client.load_model("toy", headers=HEADERS, config="{}")


class Conversation:
    """A bidirectional stream, and what came back."""

    def __init__(self, client: Any, headers: dict[str, str] = HEADERS) -> None:
        self._client = client
        self._answers: queue.Queue[tuple[Any, Any]] = queue.Queue()
        client.start_stream(
            callback=lambda result, error: self._answers.put((result, error)), headers=headers
        )

    def send(self, steps: Any, **options: Any) -> None:
        self._client.async_stream_infer("toy", [x_of(steps)], **options)

    def answer(self) -> tuple[Any, Any]:
        return self._answers.get(timeout=60)

    def logits(self) -> NDArray[np.float32]:
        result, error = self.answer()
        assert error is None, error
        logits: NDArray[np.float32] = result.as_numpy("logits")
        return logits


def test_a_conversation_answers_in_order(client: Any) -> None:
    conversation = Conversation(client)
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
    client.stop_stream()


def test_a_conversation_goes_on_after_an_error(client: Any) -> None:
    conversation = Conversation(client)
    conversation.send([WINDOW], sequence_id=new_name())
    _, error = conversation.answer()
    assert "has not begun" in str(error)
    conversation.send([WINDOW])
    np.testing.assert_array_equal(conversation.logits(), [TOTALS])
    client.stop_stream()


def test_more_than_the_bound_may_be_sent_ahead(client: Any) -> None:
    conversation = Conversation(client)
    name = new_name()
    for index in range(200):
        conversation.send([[[1, 1]]], sequence_id=name, sequence_start=index == 0)
    counts = [conversation.logits()[0, 0, 2] for _ in range(200)]
    assert counts == list(range(1, 201))
    client.stop_stream()


def test_a_conversation_without_a_key_is_refused(client: Any) -> None:
    _, error = Conversation(client, headers={}).answer()
    assert error.status() == "StatusCode.UNAUTHENTICATED"
    client.stop_stream()


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


def test_too_large_a_message_is_refused(toy_models: Path) -> None:
    with live.process(models=toy_models, model="toy", grpc_port=0, max_body=1000) as process:
        client = triton.InferenceServerClient(process.grpc)
        with pytest.raises(InferenceServerException) as raised:
            infer(client, np.zeros((1, 200, 2)))
        assert raised.value.status() == "StatusCode.RESOURCE_EXHAUSTED"
        np.testing.assert_array_equal(infer(client, [WINDOW]), [TOTALS])
        client.close()


def test_a_taken_port_refuses_to_start(toy_models: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = {"models": toy_models, "model": "toy", "port": 0, "grpc_port": port}
        done = subprocess.run(
            [sys.executable, "-m", "service"],
            env=live.environment(**settings),
            cwd=live.ROOT,
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 1
    assert f"LARNN_GRPC_PORT: 127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_port_nothing_of_grpc_is_imported() -> None:
    program = (
        "import sys; from service.app import create_app; from service.settings import Settings; "
        "create_app(Settings()); "
        "print({'grpc', 'google.protobuf', 'tritonclient'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=live.ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "set()", done.stdout + done.stderr


def test_every_error_has_a_status() -> None:
    assert STATUS.keys() == FAILURES.keys()


async def test_async_client(process: live.Process) -> None:
    import tritonclient.grpc.aio as aio

    async with aio.InferenceServerClient(process.grpc) as client:
        answers = await asyncio.gather(
            *(client.infer("toy", [x_of([WINDOW])], headers=HEADERS) for _ in range(8))
        )
    for answer in answers:
        np.testing.assert_array_equal(answer.as_numpy("logits"), [TOTALS])


def test_calls_are_measured_as_requests_are(process: live.Process, client: Any) -> None:
    with pytest.raises(InferenceServerException):
        infer(client, [WINDOW], model_version="7")
    infer(client, [WINDOW])
    metrics = httpx.get(f"{process.url}/metrics", headers=HEADERS, timeout=60).text
    requests = "larnn_http_request_duration_seconds_count"
    assert f'{requests}{{door="ModelInfer",model="toy",status="OK"}}' in metrics
    assert f'{requests}{{door="ModelInfer",model="",status="NOT_FOUND"}}' in metrics
    assert 'larnn_errors_total{code="unknown_model",door="ModelInfer"}' in metrics


def test_a_key_has_one_limit_for_both_wires(toy_models: Path) -> None:
    settings = {"models": toy_models, "model": "toy", "api_keys": KEYS, "max_at_work_per_key": 1}
    with live.process(grpc_port=0, **settings) as process:
        client = triton.InferenceServerClient(process.grpc)
        conversation = Conversation(client)
        conversation.send([WINDOW])
        np.testing.assert_array_equal(conversation.logits(), [TOTALS])
        answer = httpx.get(f"{process.url}/v2", headers=HEADERS, timeout=60)
        assert (answer.status_code, answer.json()["code"]) == (503, "full")
        second = triton.InferenceServerClient(process.grpc)
        with pytest.raises(InferenceServerException, match="its limit") as raised:
            infer(second, [WINDOW])
        assert raised.value.status() == "StatusCode.UNAVAILABLE"
        client.stop_stream()
        client.close()
        second.close()


def test_grpc_takes_the_services_certificate(toy_models: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    issued.private_key_pem.write_to_path(key)
    for part in issued.cert_chain_pems:
        part.write_to_path(certificate, append=True)
    root = tmp_path / "root.pem"
    authority.cert_pem.write_to_path(root)
    settings = {"models": toy_models, "model": "toy", "tls_cert": certificate, "tls_key": key}
    with live.process(grpc_port=0, **settings) as process:
        address = process.grpc.replace("127.0.0.1", "localhost")
        client = triton.InferenceServerClient(address, ssl=True, root_certificates=str(root))
        np.testing.assert_array_equal(infer(client, [WINDOW]), [TOTALS])
        client.close()
        with grpc.insecure_channel(process.grpc) as channel, pytest.raises(grpc.FutureTimeoutError):
            grpc.channel_ready_future(channel).result(timeout=1)
