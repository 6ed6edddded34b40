"""Chunks for the toy as messages of each form, and which way they took."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection

STEPS = [[1.0, 2.0]] * 3


class Ways:
    """Which way the chunks took."""

    def __init__(self) -> None:
        self.short = self.long = 0


def chunk(offset: int, steps: list[list[float]] = STEPS, **more: Any) -> str:
    return json.dumps({"type": "chunk", "offset": offset, "steps": steps, **more})


def binary(offset: int, steps: list[list[float]] = STEPS) -> bytes:
    return struct.pack("<Q", offset) + np.array(steps, "<f4").tobytes()


def masked(message: str) -> bytes:
    return Frame(Opcode.TEXT, message.encode()).serialize(mask=True)


def in_pieces(socket: ClientConnection, message: str | bytes) -> None:
    """As two fragments: what is not whole takes the long way."""
    socket.send([message[:1], message[1:]])
