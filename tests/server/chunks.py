"""Chunks for the toy as messages of each form."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection

STEPS = [[1.0, 2.0]] * 3
HANDSHAKE = (
    b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\n"
    b"Upgrade: WebSocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)


def chunk(offset: int, steps: list[list[float]] = STEPS, **more: Any) -> str:
    return json.dumps({"type": "chunk", "offset": offset, "steps": steps, **more})


def binary(offset: int, steps: list[list[float]] = STEPS) -> bytes:
    return struct.pack("<Q", offset) + np.array(steps, "<f4").tobytes()


def masked(message: str | bytes) -> bytes:
    """The frame in which a client sends it."""
    if isinstance(message, str):
        return Frame(Opcode.TEXT, message.encode()).serialize(mask=True)
    return Frame(Opcode.BINARY, message).serialize(mask=True)


def in_fragments(socket: ClientConnection, message: str | bytes) -> None:
    socket.send([message[:1], message[1:]])


def in_bytes(socket: ClientConnection, message: str | bytes) -> None:
    """Each byte of the frame by itself."""
    for byte in masked(message):
        socket.socket.sendall(bytes([byte]))
