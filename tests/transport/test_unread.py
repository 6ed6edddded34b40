"""Answers that are not read over HTTP: counted by whose they are, and waited for while read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from larnn_service.admission.keys import new_key
from larnn_service.transport.hub import Application, Hub, Limits
from larnn_service.transport.unread import LEAST_READ, Unread
from tests import live
from tests.server.raw import request
from tests.server.test_metrics import sample
from tests.until import until

ROOM = 2**20
(ONE, FIRST), (TWO, SECOND) = new_key("one"), new_key("two")


@pytest.fixture(scope="module")
def url(toy_models: Path) -> Iterator[str]:
    limits = {"max_waiting_bytes": 2 * ROOM, "max_body": ROOM, "max_message": ROOM}
    keys = f"{FIRST},{SECOND}"
    with live.running(
        models=toy_models, model="toy", api_keys=keys, send_timeout=2, **limits
    ) as url:
        yield url


@pytest.fixture
def other(url: str) -> Iterator[httpx.Client]:
    """A client with the second key."""
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TWO}"}) as client:
        yield client


def asking(url: str, count: int, path: str) -> socket.socket:
    """A connection with small buffers that has asked so often and read nothing."""
    host, port = url.removeprefix("http://").split(":")
    own = socket.socket()
    own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**12)
    own.connect((host, int(port)))
    with contextlib.suppress(TimeoutError):
        own.settimeout(1)
        own.sendall(request(method="GET", path=path) * count)
    return own


def waiting(client: httpx.Client) -> float:
    return sample(client, "larnn_waiting_bytes")


def test_those_without_a_key_leave_room_for_the_others(url: str, other: httpx.Client) -> None:
    """Forty connections ask for the largest document there is, and read nothing of it."""
    with contextlib.ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(asking(url, 20, "/openapi.json"))
            assert waiting(other) <= ROOM + 2**16
            steps = [[1.0, 2.0]] * 30_000
            assert other.post("/classify", json={"sequences": [steps]}).is_success
    until(lambda: waiting(other) == 0, "answers of connections that are gone are counted")


class Transport:
    """One whose buffer a test fills and drains."""

    def __init__(self) -> None:
        self.size = 0

    def get_extra_info(self, name: str) -> Any:
        return SimpleNamespace(setsockopt=lambda *_: None)

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def get_write_buffer_size(self) -> int:
        return self.size


class Connection:
    """One that is told when its client does not read."""

    def __init__(self) -> None:
        self.transport = Transport()
        self.unread = Unread(cast(asyncio.Transport, self.transport))
        self.given_up = asyncio.Event()

    def give_up(self) -> None:
        self.given_up.set()


@pytest.mark.parametrize(
    ("read_in_each", "goes_on"),
    [([LEAST_READ] * 5, 5), ([2**20, 0], 1), ([0], 0), ([LEAST_READ - 1], 0), ([2**15, 100], 1)],
)
def test_who_reads_slowly_has_time_as_long_as_it_reads(
    read_in_each: list[int], goes_on: int
) -> None:
    connection = Connection()
    connection.transport.size = 2**24
    connection.unread.pause()
    went_on = []
    for read in read_in_each:
        connection.transport.size -= read
        went_on.append(connection.unread.goes_on())
    assert went_on == [turn < goes_on for turn in range(len(read_in_each))]


async def test_the_hub_looks_again_and_gives_up_in_the_end() -> None:
    """Every turn of a timeout in which something was read is followed by another."""
    hub = Hub(cast(Application, None), Limits(2**20, send_timeout=0.01))
    connection = Connection()
    transport, loop = connection.transport, asyncio.get_running_loop()
    transport.size, looked = 5 * LEAST_READ, []
    goes_on = connection.unread.goes_on

    def reads_and_goes_on() -> bool:
        transport.size = max(transport.size - LEAST_READ, 0)
        looked.append(goes_on())
        return looked[-1]

    connection.unread.goes_on = reads_and_goes_on  # type: ignore[method-assign]
    connection.unread.pause()
    hub.deaf.add(connection, loop.time())
    await connection.given_up.wait()
    assert looked == [True] * 5 + [False]
    assert hub.deaf.oldest() is None
