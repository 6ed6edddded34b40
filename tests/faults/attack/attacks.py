"""The table of attacks: what hostile clients send, on many connections at once."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import json
import os
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc

from tests import http2

KIB, MIB = 2**10, 2**20
CONNECTIONS = 40
Writer = asyncio.StreamWriter
Reader = asyncio.StreamReader


@dataclass(frozen=True)
class Target:
    """The service under attack, and how long."""

    host: str
    port: int
    grpc: tuple[str, int] | None
    seconds: float
    answers: dict[str, int] = field(default_factory=dict)
    """How often each status came."""

    def heard(self, told: bytes) -> None:
        """Count the statuses of responses; a fault of the service's own is a finding."""
        for part in told.split(b"HTTP/1.1 ")[1:]:
            status = part[:3].decode("latin-1")
            assert status != "500", told[:1000]
            self.answers[status] = self.answers.get(status, 0) + 1


Assault = Callable[[Target], Awaitable[None]]


@dataclass(frozen=True)
class Attack:
    """One row of the table."""

    name: str
    assault: Assault
    connections: int = CONNECTIONS


@contextlib.asynccontextmanager
async def connected(host: str, port: int) -> AsyncIterator[tuple[Reader, Writer]]:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def endless(begin: bytes, again: bytes = b"") -> Assault:
    """Send the beginning, then the same again and again, and read what comes."""

    async def assault(target: Target) -> None:
        async with connected(target.host, target.port) as (reader, writer):
            listening = asyncio.create_task(reader.read())
            listening.add_done_callback(lambda task: task.cancelled() or task.exception())
            writer.write(begin)
            while again and not listening.done():
                writer.write(again)
                await writer.drain()
            target.heard(await listening)

    return assault


def deaf(request: bytes) -> Assault:
    """Ask again and again, and read nothing."""

    async def assault(target: Target) -> None:
        async with connected(target.host, target.port) as (reader, writer):
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            while not writer.transport.is_closing():
                writer.write(request)
                await writer.drain()

    return assault


def refused(path: str, body: bytes, *headers: str) -> Assault:
    """Send the same request again and again, each on the kept connection."""

    async def assault(target: Target) -> None:
        async with connected(target.host, target.port) as (reader, writer):
            while True:
                writer.write(request(path, body, *headers))
                told = await reader.readuntil(b"\r\n\r\n")
                target.heard(told)
                length = int(told.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                await reader.readexactly(length)
                if b"connection: close" in told.lower():
                    return

    return assault


def gone(data: bytes) -> Assault:
    """Send all of it and go, without a look at the answer."""

    async def assault(target: Target) -> None:
        async with connected(target.host, target.port) as (_, writer):
            writer.write(data)
            await writer.drain()

    return assault


def request(path: str, body: bytes, *headers: str, size: int | None = None) -> bytes:
    announced = f"Content-Length: {len(body) if size is None else size}"
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", announced, *headers, "", "")
    return "\r\n".join(lines).encode() + body


def frame(payload: bytes, opcode: int = 1, fin: bool = True, size: int | None = None) -> bytes:
    """A client's frame; `size` is what it announces, if that is not the payload's."""
    announced = len(payload) if size is None else size
    head = bytes([fin << 7 | opcode, 0x80 | 127]) + announced.to_bytes(8, "big")
    return head + b"\0\0\0\0" + payload


def handshake(*headers: str) -> bytes:
    key = base64.b64encode(os.urandom(16)).decode()
    lines = (
        "GET /stream HTTP/1.1",
        "Host: localhost",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {key}",
        *headers,
    )
    return "\r\n".join([*lines, "", ""]).encode()


async def half_a_grpc_message(path: str, target: Target) -> None:
    """A call whose message announces 4 MiB, and stops a byte before its end."""
    assert target.grpc is not None
    async with connected(*target.grpc) as (reader, writer):
        writer.write(http2.PREFACE + http2.frame(http2.SETTINGS, 0, 0, b""))
        writer.write(http2.frame(http2.HEADERS, http2.END_HEADERS, 1, http2.grpc_head(path)))
        begun = http2.message(b"\0" * (15 * KIB), announced=4 * MIB - 1)
        writer.write(http2.frame(http2.DATA, 0, 1, begun))
        for _ in range(3):  # as much as the first window takes
            writer.write(http2.frame(http2.DATA, 0, 1, b"\0" * (15 * KIB)))
        await reader.read()


async def deaf_grpc(target: Target) -> None:
    """Checks of health, whose answers have no room."""
    assert target.grpc is not None
    no_room = struct.pack(">HI", http2.INITIAL_WINDOW_SIZE, 0)
    head = http2.grpc_head("/grpc.health.v1.Health/Check")
    async with connected(*target.grpc) as (reader, writer):
        writer.write(http2.PREFACE + http2.frame(http2.SETTINGS, 0, 0, no_room))
        for stream in range(1, 200, 2):
            writer.write(http2.frame(http2.HEADERS, http2.END_HEADERS, stream, head))
            writer.write(http2.frame(http2.DATA, http2.END_STREAM, stream, http2.message(b"")))
        await reader.read()


async def refused_grpc(asked: bytes, target: Target) -> None:
    """Send the same message again and again, on one connection."""
    assert target.grpc is not None
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1)]
    host, port = target.grpc
    async with grpc.aio.insecure_channel(f"{host}:{port}", options=options) as channel:
        call: Any = channel.unary_unary(INFER_CALL)
        while True:
            try:
                await call(asked)
            except grpc.aio.AioRpcError as error:
                code = error.code().name
                assert code != "INTERNAL", error
                target.answers[code] = target.answers.get(code, 0) + 1


async def silent_grpc(target: Target) -> None:
    """A connection to the gRPC port that never says anything."""
    assert target.grpc is not None
    async with connected(*target.grpc) as (reader, _):
        await reader.read()


HEAD = b"POST /classify HTTP/1.1\r\nHost: localhost\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
BIG = [2**63 - 1] * 50_000
SHAPE = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": BIG, "data": [1]}]})
ROWS = "[" + ",".join(["[1, 2]"] * 200_000)
NAN = ('{"sequences": [' + ROWS + ", [NaN, 1]]]}").encode()
LONG = "[0.1234567890123456789012345, 1.2345678901234567890123456]," * 1_020
MESSAGE = ('{"type": "chunk", "offset": 0, "steps": [' + LONG + "[NaN, 1]]}").encode()
EMPTY = ('{"sequences": [' + ",".join(["[[]]"] * 300_000) + "]}").encode()
NULLS = b'{"inputs": [' + b",".join([b'[{"a": null}]'] * 9_000) + b"]}"
DEEP = b'{"inputs": ' + b'{"a": [' * 15_000 + b"null" + b"]}" * 15_000 + b"}"
BOMB = gzip.compress(b" " * (64 * MIB))
NAMED = b'{"%s": 1}' % (b"x" * MIB)
NPY = (
    b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '<f4', 'fortran_order': False, 'shape': (True, 1, 2), }"
)
NPY = NPY.ljust(127) + b"\n" + b"\0" * 8
NO_STEPS = NPY.replace(b"(True, 1, 2), }      ", b"(2147483647, 0, 2), }")[:128]
CLAIMED = SHAPE.replace(json.dumps(BIG), "[2147483647, 1, 2]").encode()
ENDLESS_ROW = b'{"sequences": [[[' + b"0," * (MIB - KIB) + b"0]]]}"
SPACES = b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 2], "data": [1, 2]}, '
SPACES += b'{"name": "lengths", "datatype": "INT64", "shape": [1], "data": [1%b]}]}' % (b" " * MIB)
NO_HEADER = b"\x93NUMPY\x01\x00" + (3901).to_bytes(2, "little") + b"+," * 1950 + b"\n" + b"\0" * 16
GOOD = b'{"sequences": [[[1, 2]]]}'
INFER = "/v2/models/toy/infer"
INFER_CALL = "/inference.GRPCInferenceService/ModelInfer"
NOTHINGS = b"\x2a\0" * (128 * KIB)
"""Inputs of no field, of ModelInferRequest."""

ATTACKS = (
    Attack("headers without end", endless(HEAD, b"a:b\r\n" * 1000)),
    Attack("a header's value without end", endless(HEAD + b"X: ", b"x" * 10_000)),
    Attack("a request line without end", endless(b"GET /", b"x" * 10_000)),
    Attack("trailers without end", endless(CHUNKED + b"0\r\n", b"a:b\r\n" * 1000)),
    Attack("an extension of a chunk without end", endless(CHUNKED + b"1;a=", b"x" * 10_000)),
    Attack("the smallest of chunks", endless(CHUNKED, b"1\r\n \r\n" * 1000), 8),
    Attack("empty lines", endless(b"", b"\r\n" * 5000)),
    Attack("requests behind one another", endless(b"", request("/classify", GOOD) * 100), 8),
    Attack("a body of 1 GiB for an operator", endless(request("/models/toy/load", b"", size=2**30), b" " * 10_000)),
    Attack("a body of 1 GiB for a stream", endless(request("/streams", b"", size=2**30), b" " * 10_000)),
    Attack("gzip bombs", refused("/classify", BOMB, "Content-Encoding: gzip"), 8),
    Attack("gzip bombs for a stream", refused("/streams", BOMB, "Content-Encoding: gzip"), 8),
    Attack("bodies that are never whole", endless(request("/classify", b" " * MIB, size=2 * MIB))),
    Attack("messages that are never whole", endless(handshake() + frame(b" " * MIB, size=2 * MIB))),
    Attack("fragments of no byte", endless(handshake() + frame(b"", 1, fin=False), frame(b"", 0, fin=False) * 1000), 8),
    Attack("pings, answers unread", deaf(handshake() + frame(b"x" * 125, 9) * 1000), 8),
    Attack("answers unread over HTTP", deaf(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 10)),
    Attack("silent connections", endless(b""), 400),
    Attack("half a request line", endless(b"GET /hea"), 400),
    Attack("half a head", endless(HEAD), 400),
    Attack("half a body", endless(request("/classify", b"{", size=100)), 400),
    Attack("half a handshake", endless(handshake()[:-4]), 400),
    Attack("handshakes that nobody can read", endless(handshake("X: " + "x" * 9000))),
    Attack("half a gRPC message", partial(half_a_grpc_message, INFER_CALL)),
    Attack("half a gRPC message of a conversation", partial(half_a_grpc_message, "/inference.GRPCInferenceService/ModelStreamInfer")),
    Attack("half a gRPC message of health", partial(half_a_grpc_message, "/grpc.health.v1.Health/Watch")),
    Attack("half a gRPC message of reflection", partial(half_a_grpc_message, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")),
    Attack("silent gRPC connections", silent_grpc, 200),
    Attack("answers unread over gRPC", deaf_grpc),
    Attack("gRPC messages of fields without end", partial(refused_grpc, NOTHINGS), 4),
    Attack("large numbers in a shape", refused(INFER, SHAPE.encode()), 4),
    Attack("a NaN at the end", refused("/classify", NAN), 4),
    Attack("a NaN at the end of messages", endless(handshake(), frame(MESSAGE)), 4),
    Attack("empty rows", refused("/classify", EMPTY), 4),
    Attack("nulls, wide", refused(INFER, NULLS), 4),
    Attack("nulls, deep", refused(INFER, DEEP), 4),
    Attack("a long field name", refused("/classify", NAMED), 4),
    Attack("truth as a size of an array", refused("/classify", NPY, "Content-Type: application/x-npy"), 4),
    Attack("rows that are only claimed", refused("/classify", NO_STEPS, "Content-Type: application/x-npy"), 4),
    Attack("rows that are only claimed, of a tensor", refused(INFER, CLAIMED), 4),
    Attack("brackets", refused("/classify", b'{"sequences": ' + b"[" * MIB), 4),
    Attack("a row without an end", refused("/classify", ENDLESS_ROW), 4),
    Attack("bodies whose clients have gone", gone(request("/classify", ENDLESS_ROW)), 8),
    Attack("spaces behind a number", refused(INFER, SPACES), 4),
    Attack("an address of many parameters", refused("/classify?" + "a&" * 7_000, GOOD), 8),
    Attack("a handshake of many items", endless(handshake().replace(b"n: U", b"n: " + b"a," * 7_000 + b"U")), 8),
    Attack("a header of an array that is none", refused("/classify", NO_HEADER, "Content-Type: application/x-npy"), 8),
    Attack("offers of h2c", refused("/classify", GOOD, "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AA"), 4),
    Attack("garbage behind a request", endless(request("/classify", GOOD) + b"\0\1\2")),
)  # fmt: skip


async def carry_out(attack: Attack, target: Target) -> None:
    """All of the attack's connections at once, each opened anew when it is closed, to the end."""
    assault = partial(attack.assault, target)

    async def again() -> None:
        while True:
            with contextlib.suppress(
                OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError
            ):
                await assault()
            await asyncio.sleep(0.01)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(target.seconds), asyncio.TaskGroup() as group:
            for _ in range(attack.connections):
                group.create_task(again())
