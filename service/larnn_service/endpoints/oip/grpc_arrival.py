"""Messages that come by gRPC. Nobody can count one until it is whole, so few come at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any
from weakref import WeakValueDictionary

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

from larnn_service.endpoints.oip.grpc_status import Context
from larnn_service.errors import BadMessage, TooLarge, TooSlow
from larnn_service.settings import Settings

Message = Any
MOST_OPEN = 256
"""Bytes of a message for which no key is asked: a name of 200 characters, and little more."""
PART = 4
"""Calls without a key take one part in so many of the places, conversations another, and each host
one of theirs."""


class _OpenPlaces:
    """Those of callers without a key, of which each host has a part."""

    def __init__(self, places: int) -> None:
        self._all = asyncio.Semaphore(max(places // PART, 1))
        self._of_a_host = max(places // PART**2, 1)
        self._hosts: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    def of(self, context: Context) -> tuple[asyncio.Semaphore, asyncio.Semaphore]:
        """The host's, and all of them."""
        own = asyncio.Semaphore(self._of_a_host)
        return self._hosts.setdefault(host_of(context), own), self._all


class Arrival:
    """The places in which messages come, and the time that each may take."""

    def __init__(self, settings: Settings) -> None:
        self._timeout = settings.arrival_timeout
        places = max(settings.max_waiting_bytes // settings.max_message, 1)
        self._places = asyncio.Semaphore(places)
        self._calls, self._conversations = _OpenPlaces(places), _OpenPlaces(places)

    async def message(self, context: Context) -> Message:
        """The message of a call whose caller is known. Raises TooSlow, BadMessage."""
        return _one(await self._read(context, self._places))

    async def open_message(self, context: Context) -> Message:
        """The same of a caller without a key. Raises TooSlow, TooLarge, BadMessage."""
        return _small(_one(await self._read(context, *self._calls.of(context))))

    async def open_messages(self, context: Context) -> AsyncIterator[Message]:
        """All that a caller without a key sends, each in its time. Raises the same.

        Who leaves a conversation open keeps a place, so that these have places of their own.
        """
        places = self._conversations.of(context)
        while (request := await self._read(context, *places)) is not grpc.aio.EOF:
            yield _small(whole(request))

    async def _read(self, context: Context, *places: asyncio.Semaphore) -> Any:
        """What came, when there was a place for it in each of these."""
        try:
            async with asyncio.timeout(self._timeout), AsyncExitStack() as held:
                for place in places:
                    await held.enter_async_context(place)
                return await context.read()
        except TimeoutError:
            raise TooSlow("the message came too slowly; send it again") from None


def handler(method: MethodDescriptor, behavior: Any) -> grpc.RpcMethodHandler[Any, Any]:
    """The method's, which reads its messages itself: of another kind of handler grpc would read
    them before anybody knows the caller."""
    kind = (
        grpc.stream_stream_rpc_method_handler
        if method.server_streaming
        else grpc.stream_unary_rpc_method_handler
    )
    return kind(
        behavior,
        request_deserializer=partial(_parsed, GetMessageClass(method.input_type)),
        response_serializer=GetMessageClass(method.output_type).SerializeToString,
    )


def host_of(context: Context) -> str:
    """Who is at the other end, without the port of its connection."""
    return context.peer().rpartition(":")[0]


def whole(request: Message | BadMessage) -> Message:
    """The message that was parsed. Raises BadMessage where it could not be."""
    if isinstance(request, BadMessage):
        raise request
    return request


def _parsed(kind: Any, data: bytes) -> Message | BadMessage:
    """The message, or why it is none: what this raised, grpc would answer in its own way."""
    try:
        return kind.FromString(data)
    except DecodeError:
        return BadMessage(f"the message is no protobuf of the type {kind.DESCRIPTOR.name}")


def _one(request: Any) -> Message:
    if request is grpc.aio.EOF:
        raise BadMessage("a call has one message")
    return whole(request)


def _small(request: Message) -> Message:
    if request.ByteSize() > MOST_OPEN:
        raise TooLarge(f"a message without a key has at most {MOST_OPEN} bytes")
    return request
