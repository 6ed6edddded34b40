"""Clients of gRPC that send half, read nothing, or connect and stay: each meets its bound."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as stubs

from tests import http2, live
from tests.oip.chunks import new_name
from tests.oip.test_grpc_order import part
from tests.server.test_access import KEYS, PHONE, TABLET, bearer
from tests.server.test_metrics import sample

MIB = 2**20
SERVICE = "/inference.GRPCInferenceService/"
HALF = http2.message(b"\0", announced=MIB)
READY = pb.ModelReadyRequest(name="toy")
LIMITS = {"max_message": MIB, "max_body": MIB, "max_waiting_bytes": 8 * MIB}
"""Of eight places for messages, three for calls and three for conversations."""


@pytest.fixture(scope="module")
def impatient(toy_models: Path) -> Iterator[live.Process]:
    times = {"idle_timeout": 2, "send_timeout": 1}
    settings = LIMITS | times | {"model": "toy", "grpc_port": 0}
    with live.process(models=toy_models, **settings) as process:
        yield process


@pytest.fixture(scope="module")
def patient(toy_models: Path) -> Iterator[live.Process]:
    """With two owners of keys, none of whom waits for another."""
    settings = LIMITS | {"arrival_timeout": 600, "model": "toy", "grpc_port": 0}
    with live.process(models=toy_models, api_keys=KEYS, **settings) as process:
        yield process


def metadata(key: str) -> Any:
    return [(name.lower(), value) for name, value in bearer(key).items()]


def is_serving(address: str) -> bool:
    with grpc.insecure_channel(address) as channel:
        told = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=60
        )
    return bool(told.status == health_pb2.HealthCheckResponse.SERVING)


@pytest.mark.parametrize("sent", [b"", HALF], ids=["silent", "half a message"])
def test_a_conversation_that_says_nothing_whole_is_ended(
    impatient: live.Process, sent: bytes
) -> None:
    """And makes room: of four, one more than there may be, one is refused at once."""
    with http2.Connection(impatient.grpc) as connection:
        for _ in range(4):
            connection.call(f"{SERVICE}ModelStreamInfer", sent)
        ends = [connection.wait_for(http2.HEADERS) for _ in range(4)]
    assert [b"as many conversations" in end for end in ends] == [True, False, False, False]
    assert [b"no whole message came for 2 s" in end for end in ends] == [False, True, True, True]
    with grpc.insecure_channel(impatient.grpc) as channel:
        stub = stubs.GRPCInferenceServiceStub(channel)
        [told] = stub.ModelStreamInfer(iter([part(str(new_name()), starts=True)]), timeout=60)
    assert not told.error_message


UNREAD: dict[str, tuple[str, bytes]] = {
    "check": ("/grpc.health.v1.Health/Check", b""),
    "watch": ("/grpc.health.v1.Health/Watch", b""),
    "reflection": (
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        b"\x3a\x00",  # list_services
    ),
    "a call": (f"{SERVICE}ModelReady", READY.SerializeToString()),
    "a conversation": (f"{SERVICE}ModelStreamInfer", part("unread").SerializeToString()),
}


@pytest.mark.parametrize(("path", "asked"), UNREAD.values(), ids=UNREAD)
def test_who_reads_no_answer_loses_the_connection(
    impatient: live.Process, path: str, asked: bytes
) -> None:
    with http2.Connection(impatient.grpc) as reads, http2.Connection(impatient.grpc, 0) as deaf:
        for _ in range(3):
            deaf.call(path, http2.message(asked))
        deaf.wait_for_end()
        reads.call("/grpc.health.v1.Health/Check", http2.message(b""), end=True)
        assert reads.wait_for(http2.DATA) == http2.message(b"\x08\x01")
    with httpx.Client(base_url=impatient.url, timeout=60) as client:
        while sample(client, "larnn_waiting_bytes"):
            pass  # the account is empty in the end


def test_a_connection_where_others_read_stays(toy_models: Path) -> None:
    """As that of a proxy: one of its clients reads nothing, and another does all the while."""
    settings = {"grpc_port": 0, "send_timeout": 4}
    with (
        live.process(models=toy_models, model="toy", **settings) as process,
        http2.Connection(process.grpc, 0) as proxy,
        http2.Connection(process.grpc, 0) as deaf,
    ):
        path, asked = UNREAD["check"]
        for connection in (proxy, proxy, deaf):
            connection.call(path, http2.message(asked))
        ended = threading.Thread(target=deaf.wait_for_end)
        ended.start()
        while ended.is_alive():
            proxy.make_room(proxy.call(path, http2.message(asked), end=True))
            assert proxy.wait_for(http2.DATA) == http2.message(b"\x08\x01")


def test_one_key_leaves_another_room_for_its_messages(patient: live.Process) -> None:
    with http2.Connection(patient.grpc) as connection, grpc.insecure_channel(patient.grpc) as other:
        for _ in range(20):
            connection.call(f"{SERVICE}ModelInfer", HALF, PHONE)
            connection.call(f"{SERVICE}ModelStreamInfer", HALF, PHONE)
        assert b"as many conversations" in connection.wait_for(http2.HEADERS)
        stub = stubs.GRPCInferenceServiceStub(other)
        assert stub.ModelReady(READY, timeout=60, metadata=metadata(TABLET)).ready
        asked = iter([part(str(new_name()), starts=True)])
        [told] = stub.ModelStreamInfer(asked, timeout=60, metadata=metadata(TABLET))
        assert not told.error_message
        assert is_serving(patient.grpc)


BIG: dict[str, tuple[bytes, str]] = {
    "inputs": (b"\x2a\0" * 100_000, "1024 fields"),
    "outputs": (b"\x32\0" * 100_000, "1024 fields"),
    "parameters": (b"\x22\0" * 100_000, "1024 fields"),
    "raw contents": (b"\x3a\0" * 100_000, "1024 fields"),
    "shapes": (b"\x2a\xe0\xa7\x12" + b"\x18\0" * 150_000, "1024 fields"),
    "integers": (b"\x2a\xc8\x93\x12\x2a\xc4\x93\x12\x1a\xc0\x93\x12" + b"\1" * 300_480, "integers"),
}


@pytest.mark.parametrize(("asked", "reason"), BIG.values(), ids=BIG)
@pytest.mark.parametrize("name", ["ModelInfer", "ModelStreamInfer"])
def test_what_would_take_long_to_parse_is_refused(
    impatient: live.Process, name: str, asked: bytes, reason: str
) -> None:
    with grpc.insecure_channel(impatient.grpc) as channel:
        call: Any = channel.stream_stream(SERVICE + name)
        if name == "ModelStreamInfer":
            [told] = call(iter([asked]), timeout=60)
            answer = pb.ModelStreamInferResponse.FromString(told)
            assert reason in answer.error_message
            assert answer.infer_response.parameters["code"].string_param == "too_large"
        else:
            with pytest.raises(grpc.RpcError, match=reason):
                list(call(iter([asked]), timeout=60))


@pytest.mark.parametrize("where", ["request", "input", "output"])
def test_parameters_are_counted_before_they_are_looked_at(
    impatient: live.Process, where: str
) -> None:
    request = part("any")
    request.outputs.add(name="logits")
    owner = {"request": request, "input": request.inputs[0], "output": request.outputs[0]}[where]
    for index in range(65):
        owner.parameters[f"p{index}"].int64_param = 1
    with grpc.insecure_channel(impatient.grpc) as channel:
        stub = stubs.GRPCInferenceServiceStub(channel)
        with pytest.raises(grpc.RpcError, match="parameters; at most 64"):
            stub.ModelInfer(request, timeout=60)
    given = {f"p{index}": 1 for index in range(65)}
    body: dict[str, Any] = {
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 2], "data": [1, 1]}],
        "outputs": [{"name": "logits"}],
    }
    place = {"request": body, "input": body["inputs"][0], "output": body["outputs"][0]}[where]
    place["parameters"] = given
    told = httpx.post(f"{impatient.url}/v2/models/toy/infer", json=body, timeout=60)
    assert told.status_code == 400
    assert "length <= 64" in told.json()["error"]


def test_connections_of_grpc_leave_open_files_for_others(toy_models: Path) -> None:
    """Of 300 open files, 54 are for HTTP and as many for gRPC."""
    code = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (300, 300)); "
        "sys.argv = ['service']; runpy.run_module('service', run_name='__main__')"
    )
    settings = live.environment(port=0, models=toy_models, model="toy", grpc_port=0)
    command, variables = [sys.executable, "-c", code], os.environ | settings
    with live.started(command, variables, live.ROOT) as process, contextlib.ExitStack() as held:
        threading.Thread(target=process.popen.stderr.read, daemon=True).start()  # type: ignore[union-attr]
        assert any("54 connections, and for as many of gRPC" in line for line in process.log)
        connections = [http2.Connection(process.grpc) for _ in range(200)]
        for connection in connections:
            held.enter_context(connection)
        first, last = connections[0], connections[-1]
        last.wait_for_end()
        first.call("/grpc.health.v1.Health/Check", http2.message(b""), end=True)
        assert first.wait_for(http2.DATA) == http2.message(b"\x08\x01")
        assert httpx.get(f"{process.url}/healthz", timeout=60).is_success
