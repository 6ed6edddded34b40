"""Messages of gRPC calls that need no key: small ones, few at a time, each within a time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from larnn_service.endpoints.oip.grpc_health import MOST_OF_A_HOST
from tests import live

NAME = "x" * 300
Ask = Callable[[grpc.Channel, str], Any]


def _reflect(channel: grpc.Channel, name: str) -> Any:
    asked = reflection_pb2.ServerReflectionRequest(file_containing_symbol=name)
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    return next(stub.ServerReflectionInfo(iter([asked]), timeout=60))


def _check(channel: grpc.Channel, name: str) -> Any:
    asked = health_pb2.HealthCheckRequest(service=name)
    return health_pb2_grpc.HealthStub(channel).Check(asked, timeout=60)


def _watch(channel: grpc.Channel, name: str) -> Any:
    asked = health_pb2.HealthCheckRequest(service=name)
    return next(health_pb2_grpc.HealthStub(channel).Watch(asked, timeout=60))


ASKS: dict[str, Ask] = {"check": _check, "watch": _watch, "reflection": _reflect}
"""Calls without a key that have a name in their message."""


@pytest.mark.parametrize("name", [NAME, "x" * 2**20], ids=["long", "very long"])
@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
def test_a_long_name_is_refused(grpc_process: live.Process, ask: Ask, name: str) -> None:
    with grpc.insecure_channel(grpc_process.grpc) as channel:
        with pytest.raises(grpc.RpcError, match="at most 256 bytes"):
            ask(channel, name)
        with contextlib.suppress(grpc.RpcError):  # NOT_FOUND of a name that nobody serves
            ask(channel, "x" * 200)
        assert _check(channel, "").status == health_pb2.HealthCheckResponse.SERVING


def test_a_bomb_is_never_held(grpc_process: live.Process) -> None:
    options = [("grpc.max_send_message_length", -1)]
    asked = health_pb2.HealthCheckRequest(service="x" * 2**24)
    with grpc.insecure_channel(grpc_process.grpc, options=options) as channel:
        for compression in (grpc.Compression.Gzip, grpc.Compression.Deflate):
            with pytest.raises(grpc.RpcError, match="larger than max"):
                health_pb2_grpc.HealthStub(channel).Check(
                    asked, compression=compression, timeout=60
                )


@pytest.fixture(scope="module")
def impatient(toy_models: Path) -> Iterator[live.Process]:
    settings = {"grpc_port": 0, "arrival_timeout": 2}
    with live.process(models=toy_models, model="toy", **settings) as process:
        yield process


def test_a_host_watches_so_often_and_no_more(impatient: live.Process) -> None:
    """Of the service that no other test watches."""
    with grpc.insecure_channel(impatient.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        watching = [stub.Watch(health_pb2.HealthCheckRequest()) for _ in range(MOST_OF_A_HOST)]
        for each in watching:
            next(each)
        with pytest.raises(grpc.RpcError, match="too many watch"):
            next(stub.Watch(health_pb2.HealthCheckRequest()))
        assert _check(channel, "").status == health_pb2.HealthCheckResponse.SERVING
        for each in watching:
            each.cancel()


SILENT: dict[str, Callable[[grpc.Channel], Callable[..., Any]]] = {
    "reflection": lambda channel: (
        reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
    ),
    "health": lambda channel: (
        channel.stream_unary(
            "/grpc.health.v1.Health/Check",
            health_pb2.HealthCheckRequest.SerializeToString,
            health_pb2.HealthCheckResponse.FromString,
        ).future
    ),
    "protocol": lambda channel: (
        channel.stream_unary(
            "/inference.GRPCInferenceService/ServerLive",
            service_pb2.ServerLiveRequest.SerializeToString,
            service_pb2.ServerLiveResponse.FromString,
        ).future
    ),
}
"""Calls without a key whose message may be late."""


@pytest.mark.parametrize("call", SILENT.values(), ids=SILENT)
def test_calls_that_say_nothing_are_ended(impatient: live.Process, call: Any) -> None:
    """All of them, though more than have a place; with a key one is answered meanwhile."""
    done = threading.Event()

    def nothing() -> Iterator[Any]:
        done.wait(60)
        yield from ()

    with grpc.insecure_channel(impatient.grpc) as channel:
        try:
            calls = [call(channel)(nothing(), timeout=60) for _ in range(40)]
            asked = service_pb2.ModelReadyRequest(name="toy")
            assert (
                service_pb2_grpc.GRPCInferenceServiceStub(channel)
                .ModelReady(asked, timeout=60)
                .ready
            )
            for each in calls:
                with pytest.raises(grpc.RpcError, match="came too slowly"):
                    each.result(60) if hasattr(each, "result") else next(each)
        finally:
            done.set()


def test_conversations_that_stay_open_keep_no_place_of_a_check(
    grpc_process: live.Process,
) -> None:
    done = threading.Event()

    def one() -> Iterator[Any]:
        yield reflection_pb2.ServerReflectionRequest(list_services="")
        done.wait(60)

    with grpc.insecure_channel(grpc_process.grpc) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        try:
            for each in [stub.ServerReflectionInfo(one(), timeout=60) for _ in range(4)]:
                next(each)
            asked = health_pb2.HealthCheckRequest()
            told = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=8)  # an arrival has 10
            assert told.status == health_pb2.HealthCheckResponse.SERVING
        finally:
            done.set()
