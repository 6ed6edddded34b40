"""What a websocket offers of what comes, and what becomes of the rest."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

from websockets.frames import Frame, Opcode
from websockets.protocol import OPEN

from larnn_service.api.offering import LARGEST, OfferingWebSocket

MESSAGE = Frame(Opcode.TEXT, b"one").serialize(mask=True)
OTHER = Frame(Opcode.TEXT, b"two").serialize(mask=True)


class Taker:
    """Takes what it is offered, and notes it."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def take(self, message: str) -> bool:
        self.taken.append(message)
        return True


class Turn:
    """One that does not end."""

    def add(self, connection: Any) -> None:
        pass


class Socket(OfferingWebSocket):
    """Without a server around it."""

    largest, turn = LARGEST, None

    def __init__(self) -> None:
        self.long: list[bytes] = []
        self.written: list[bytes] = []
        reader = SimpleNamespace(buffer=b"")
        self.conn: Any = SimpleNamespace(reader=reader, current_size=None, state=OPEN)
        self.queue: Any = asyncio.Queue()
        self.writable = asyncio.Event()
        self.writable.set()
        self.transport: Any = SimpleNamespace(write=self.written.append)
        self.disconnected, self.asked = False, True
        self.taker: Any = Taker()
        self.offer_to(cast(Any, self.taker))

    def receive_frames(self, data: bytes) -> None:
        if self.taken:
            self.unparsed += data
        else:
            self.long.append(data)

    def resume_reading(self) -> None:
        pass


async def test_what_comes_behind_a_taken_message_is_offered_when_that_is_answered() -> None:
    socket = Socket()
    socket.arrive(MESSAGE)
    socket.arrive(OTHER)
    assert socket.taker.taken == ["one"]
    socket.answer(b"1")
    assert (socket.taker.taken, socket.unparsed, socket.long) == (["one", "two"], b"", [])
    socket.answer(b"2")
    assert socket.written == [b"1", b"2"]


async def test_a_message_that_has_no_answer_holds_up_no_other() -> None:
    socket = Socket()
    socket.arrive(MESSAGE)
    socket.arrive(OTHER)
    socket.asked = False
    socket.answer(None)
    assert (socket.taken, socket.long, socket.written) == (False, [OTHER], [])


async def test_of_a_lost_connection_nothing_is_left() -> None:
    socket = Socket()
    socket.arrive(MESSAGE)
    socket.arrive(OTHER)
    socket.offer_no_more()
    socket.answer(b"1")
    assert (socket.unparsed, socket.taken, socket.long, socket.written) == (b"", False, [], [])


async def test_who_sends_and_goes_before_the_turn_ends_is_heard() -> None:
    socket = Socket()
    socket.turn = Turn()  # type: ignore[misc, assignment]
    socket.arrive(MESSAGE)
    assert socket.taker.taken == []
    socket.offer_no_more()
    assert socket.taker.taken == ["one"]
