"""A websocket whose close frame was sent: what its client sends on is counted, and has an end."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.frames import Frame, Opcode

from larnn_service.admission.keys import new_key
from tests import live
from tests.server.chunks import HANDSHAKE
from tests.server.raw import connected
from tests.server.test_metrics import sample
from tests.until import until

ROOM = 2**20
"""Bytes that may wait of clients without a key: half of the limit."""
MOST = 900_000
HALF_A_FRAME = struct.pack(">BBQI", 0x82, 0xFF, MOST + 1, 0) + b"x" * MOST
KEY, LINE = new_key("one")


@pytest.fixture(scope="module")
def client(toy_models: Path) -> Iterator[httpx.Client]:
    limits = {"max_waiting_bytes": 2 * ROOM, "max_body": ROOM, "max_message": ROOM}
    with (
        live.running(models=toy_models, model="toy", api_keys=LINE, **limits) as url,
        httpx.Client(base_url=url, headers={"Authorization": f"Bearer {KEY}"}) as client,
    ):
        yield client


@contextlib.contextmanager
def refused(client: httpx.Client) -> Iterator[socket.socket]:
    """A connection without a key, told so by a close frame that it does not answer."""
    with connected(client) as own:
        own.sendall(HANDSHAKE)
        told = b""
        while b"\x88" not in told or b"unauthorized" not in told:
            told += own.recv(2**12)
        yield own


def waiting(client: httpx.Client) -> float:
    return sample(client, "larnn_waiting_bytes")


def test_half_a_frame_is_counted(client: httpx.Client) -> None:
    with refused(client) as own:
        own.sendall(HALF_A_FRAME)
        until(lambda: waiting(client) > MOST - 2**15, "half a frame is not counted")
    until(lambda: waiting(client) == 0, "what has ended is counted still")


def test_those_without_a_key_leave_room_for_the_others(client: httpx.Client) -> None:
    """The second of them finds no room: it is sent on its way, and what it sends is thrown away."""
    with refused(client) as one, refused(client) as two:
        one.sendall(HALF_A_FRAME)
        until(lambda: waiting(client) > MOST - 2**15, "half a frame is not counted")
        with contextlib.suppress(OSError):
            two.sendall(HALF_A_FRAME)
        two.settimeout(100)
        with contextlib.suppress(ConnectionError):
            while two.recv(2**12):
                pass
        assert waiting(client) < ROOM
        steps = [[1.0, 2.0]] * 30_000
        assert client.post("/classify", json={"sequences": [steps]}).is_success


@pytest.mark.parametrize(
    "sent",
    [
        Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 2**8,
        Frame(Opcode.BINARY, b"").serialize(mask=True) * 2**10,
    ],
)
def test_a_flood_of_small_frames_is_held_back(client: httpx.Client, sent: bytes) -> None:
    """Pings too, which are answered still: of what nobody reads no more than a little waits."""
    with refused(client) as own:
        own.settimeout(1)
        with contextlib.suppress(OSError):
            for _ in range(2**10):
                own.sendall(sent)
        assert waiting(client) < ROOM


def test_who_answers_the_close_frame_is_let_go_at_once(client: httpx.Client) -> None:
    with refused(client) as own:
        own.sendall(Frame(Opcode.CLOSE, struct.pack(">H", 4401)).serialize(mask=True))
        own.settimeout(100)
        assert own.recv(1) == b""
