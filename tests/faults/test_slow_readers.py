"""A client that does not read: what waits for it is bounded, and it is let go."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from tests import live
from tests.server.chunks import HANDSHAKE

STEPS = 512
ROOM = 4096


@pytest.fixture
def impatient_url(toy_models: Path) -> Iterator[str]:
    with live.running(models=toy_models, model="toy", send_timeout=3) as url:
        yield url


@contextlib.contextmanager
def not_reading(url: str, room: int) -> Iterator[ClientConnection]:
    """A websocket with `room` bytes for answers, which reads only what the caller asks for."""
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        own.connect((host, int(port)))
        address = live.websocket_url(url) + "?emit=every&logits=true"
        with connect(
            address, sock=own, compression=None, max_queue=1, close_timeout=1
        ) as websocket:
            yield websocket


def send_until_held_back(websocket: ClientConnection) -> bool:
    """Send far more than fits between; whether the service stopped taking it."""
    chunk = json.dumps({"type": "chunk", "offset": 0, "acked": 0, "steps": [[1, 2]] * STEPS})
    websocket.socket.settimeout(1)  # before the service loses its patience and discards it all
    with contextlib.suppress(ConnectionClosed, OSError):
        for _ in range(5_000):
            websocket.send(chunk)
        return False
    return True


def test_who_sends_ahead_and_reads_nothing_is_held_back_and_let_go(impatient_url: str) -> None:
    with not_reading(impatient_url, ROOM) as websocket:
        opened = json.loads(websocket.recv())
        assert send_until_held_back(websocket)
        with pytest.raises(ConnectionClosed):
            while True:
                websocket.recv(10)
    with connect(f"{live.websocket_url(impatient_url)}?stream={opened['stream']}") as again:
        assert json.loads(again.recv())["position"] == STEPS
        again.send(json.dumps({"type": "chunk", "offset": STEPS, "steps": [[0, 0]]}))
        assert json.loads(again.recv())["position"] == STEPS + 1


def test_who_pings_and_reads_no_answer_is_held_back(impatient_url: str) -> None:
    """Each ping is answered: what is not read of that waits in memory too."""
    pings = Frame(Opcode.PING, b"x" * 125).serialize(mask=True) * 2**13
    host, port = impatient_url.removeprefix("http://").split(":")
    with socket.socket() as own:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
        own.connect((host, int(port)))
        own.sendall(HANDSHAKE)
        while b'"opened"' not in own.recv(ROOM):
            pass
        own.settimeout(1)  # before the service loses its patience and discards it all
        with pytest.raises(TimeoutError):
            for _ in range(100):
                own.sendall(pings)


@pytest.fixture
def let_go() -> Iterator[threading.Event]:
    """Set when the service has lost its patience with a client."""
    event = threading.Event()

    class Listening(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            event.set()

    logger, listening = (
        logging.getLogger("larnn_service.transport.websocket_connection"),
        Listening(),
    )
    logger.addHandler(listening)
    logger.setLevel(logging.INFO)
    yield event
    logger.setLevel(logging.NOTSET)
    logger.removeHandler(listening)


def test_who_reads_again_in_time_is_told_why(impatient_url: str, let_go: threading.Event) -> None:
    """The error and the close code come behind the answers that had been waiting."""
    with not_reading(impatient_url, 64 * ROOM) as websocket:
        websocket.recv()
        chunk = {"type": "chunk", "offset": 0, "acked": 0, "steps": [[1, 2]] * STEPS}
        for _ in range(20):
            websocket.send(json.dumps(chunk))
        assert let_go.wait(60)
        messages = []
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                messages.append(json.loads(websocket.recv(10)))
    assert messages[-1]["code"] == "backpressure"
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4429
