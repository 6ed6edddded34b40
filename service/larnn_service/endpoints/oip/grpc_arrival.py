"""Messages that come by gRPC. Nobody can count one until it is whole, so few come at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager, contextmanager
from typing import Any

import grpc
from google.protobuf.descriptor import Descriptor

from larnn_service.admission.shares import FairShares
from larnn_service.endpoints.oip.grpc_messages import Message, parsed
from larnn_service.endpoints.oip.grpc_places import MessagePlaces
from larnn_service.endpoints.oip.grpc_status import Context
from larnn_service.errors import BadMessage, Full, TooLarge, TooSlow
from larnn_service.settings import Settings

MOST_OPEN = 256
"""Bytes of a message for which no key is asked: a name of 200 characters, and little more."""
CALLS, CONVERSATIONS, OPEN, OPEN_CONVERSATIONS = 3, 3, 1, 1
"""Eighths of the places: of calls with a key, of conversations, and of both without one."""
EIGHTHS = 8
MOST_OPEN_CALLS = 1_000
"""Calls without a key at a time."""
_MANY_CALLS = "as many gRPC calls are open as may be; wait for some of their answers"
_MANY_CONVERSATIONS = (
    "as many conversations are open as may be; send more sequences in one of them, or ask the "
    "service's operator for more LARNN_MAX_WAITING_BYTES"
)


class Arrival:
    """The places in which messages come, and the time that each may take.

    All of them together, each with the largest of messages, are within LARNN_MAX_WAITING_BYTES.
    """

    def __init__(self, settings: Settings, alone: bool = True) -> None:
        """`alone`: there are no several owners of keys who share them."""
        self._timeout, self._silence = settings.arrival_timeout, settings.idle_timeout
        most = settings.max_waiting_bytes // settings.max_message

        def places(eighths: int, alone: bool = False) -> FairShares:
            return FairShares(max(most * eighths // EIGHTHS, 1), alone=alone)

        self._calls = MessagePlaces(places(CALLS, alone))
        self._conversations = places(CONVERSATIONS, alone)
        self._open = MessagePlaces(places(OPEN))
        self._open_conversations = MessagePlaces(places(OPEN_CONVERSATIONS))
        self._begun = FairShares(settings.max_connections, alone=alone)
        self._begun_open = FairShares(MOST_OPEN_CALLS)

    def call(self, owner: str) -> AbstractContextManager[None]:
        """A call of this owner, until its answer is read. Raises Full."""
        return _one_of(self._begun, owner, _MANY_CALLS)

    def open_call(self, context: Context) -> AbstractContextManager[None]:
        """The same of a caller without a key."""
        return _one_of(self._begun_open, host_of(context), _MANY_CALLS)

    def conversation(self, owner: str) -> AbstractContextManager[None]:
        """A conversation of this owner: at any time a message may come in it, and stay half.

        Raises Full.
        """
        return _one_of(self._conversations, owner, _MANY_CONVERSATIONS)

    async def message(self, context: Context, owner: str) -> bytes:
        """The message of a call whose caller is known. Raises TooSlow, BadMessage."""
        return _one(await self._read(context, self._calls.one(owner)))

    async def open_message(self, context: Context, kind: Descriptor) -> Message:
        """That of a caller without a key, parsed. Raises TooSlow, TooLarge, BadMessage."""
        return _small(_one(await self._read(context, self._open.one(host_of(context)))), kind)

    async def open_messages(self, context: Context, kind: Descriptor) -> AsyncIterator[Message]:
        """All that a caller without a key sends, each in its time. Raises the same.

        Who leaves a conversation open keeps a place, so that these have places of their own.
        """
        host, places = host_of(context), self._open_conversations
        while (data := await self._read(context, places.one(host))) is not None:
            yield _small(data, kind)

    async def next_message(self, context: Context) -> bytes | None:
        """The next of a conversation, None after the last. Raises TooSlow."""
        try:
            async with asyncio.timeout(self._silence):
                return _read(await context.read())
        except TimeoutError:
            raise TooSlow(
                f"no whole message came for {self._silence:g} s; open the conversation again when "
                "there is one"
            ) from None

    async def _read(
        self, context: Context, place: AbstractAsyncContextManager[None]
    ) -> bytes | None:
        """What came, when there was a place for it."""
        try:
            async with asyncio.timeout(self._timeout), place:
                return _read(await context.read())
        except TimeoutError:
            raise TooSlow("the message came too slowly; send it again") from None


def handler(behavior: Any) -> grpc.RpcMethodHandler[Any, Any]:
    """A method's, which reads and writes the bytes of its messages: of another kind of handler grpc
    would read and parse them before anybody knows the caller and the cost, and write the answer
    without an end."""
    return grpc.stream_stream_rpc_method_handler(behavior)


def host_of(context: Context) -> str:
    """Who is at the other end, without the port of its connection."""
    return context.peer().rpartition(":")[0]


@contextmanager
def _one_of(shares: FairShares, name: str, told: str) -> Iterator[None]:
    if not shares.has_room(name):
        raise Full(told)
    shares.take(name)
    try:
        yield
    finally:
        shares.give_back(name)


def _read(told: bytes | object) -> bytes | None:
    if told is grpc.aio.EOF:
        return None
    assert isinstance(told, bytes)
    return told


def _one(data: bytes | None) -> bytes:
    if data is None:
        raise BadMessage("a call has one message")
    return data


def _small(data: bytes, kind: Descriptor) -> Message:
    if len(data) > MOST_OPEN:
        raise TooLarge(f"a message without a key has at most {MOST_OPEN} bytes")
    return parsed(kind, data)
