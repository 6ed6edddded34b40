"""The gRPC calls as a client reaches them: its key, its errors, its conversations."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message_factory import GetMessageClass
from tritonclient.grpc import service_pb2 as pb

from service.api.access import owner_of
from service.api.oip import grpc_messages
from service.api.oip.grpc_calls import Calls, Message
from service.api.oip.grpc_status import Context, refuse
from service.errors import Draining, Internal, ServiceError
from service.keys import ApiKeys

logger = logging.getLogger(__name__)

SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
OPEN = ("ServerLive", "ServerReady")
"""Without a key: they say nothing of anyone."""
AHEAD = 64
"""Requests of one conversation that may run before the first of them is answered."""

Asked = asyncio.Queue[asyncio.Task[Message] | None]
"""The answers to come, in order; None after the last."""


class Doors:
    """Every call behind its door."""

    def __init__(self, calls: Calls, keys: ApiKeys) -> None:
        self._calls = calls
        self._keys = keys
        self._closing = asyncio.Event()

    def handlers(self) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        """By the call's name. A call that is not among them is UNIMPLEMENTED."""
        one_answer = {name: _handler(name, self._answering(name)) for name in self._calls.by_name}
        return one_answer | {"ModelStreamInfer": _handler("ModelStreamInfer", self._converse)}

    def close(self) -> None:
        """End every conversation, after the answers to what it has asked."""
        self._closing.set()

    def _answering(self, name: str) -> Callable[[Message, Context], Awaitable[Message]]:
        call = self._calls.by_name[name]

        async def answer(request: Message, context: Context) -> Message:
            try:
                return await call(request, "" if name in OPEN else self._owner(context))
            except Exception as error:
                told = _told(error, name)
            await refuse(context, told)

        return answer

    def _owner(self, context: Context) -> str:
        """The caller's name. Raises Unauthorized."""
        sent = dict(context.invocation_metadata() or ())
        return owner_of(self._keys, str(sent.get("authorization", "")))

    async def _converse(self, _: Message, context: Context) -> None:
        """Answers in order. Requests of several sequences run together, those of one in turn."""
        try:
            owner = self._owner(context)
        except ServiceError as error:
            told = error
        else:
            asked: Asked = asyncio.Queue(AHEAD)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(context, owner, asked, group))
                while (answer := await asked.get()) is not None:
                    await context.write(await answer)
            if not self._closing.is_set():
                return
            told = Draining()
        await refuse(context, told)

    async def _listen(
        self, context: Context, owner: str, asked: Asked, group: asyncio.TaskGroup
    ) -> None:
        """Take requests until the client has no more, or the service none."""
        closing = asyncio.create_task(self._closing.wait())
        try:
            while True:
                reading = asyncio.ensure_future(context.read())
                await asyncio.wait({reading, closing}, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done() or (request := reading.result()) is grpc.aio.EOF:
                    reading.cancel()
                    return await asked.put(None)
                await asked.put(group.create_task(self._answer(request, owner)))
        finally:
            closing.cancel()

    async def _answer(self, request: Message, owner: str) -> Message:
        """An answer of a conversation, which goes on after an error."""
        try:
            inferred = await self._calls.infer(request, owner)
            return pb.ModelStreamInferResponse(infer_response=inferred)
        except Exception as error:
            return grpc_messages.stream_error(request, _told(error, "ModelStreamInfer"))


def _handler(name: str, behavior: Any) -> grpc.RpcMethodHandler[Any, Any]:
    method = SERVICE.methods_by_name[name]
    kind = (
        grpc.stream_stream_rpc_method_handler
        if method.client_streaming
        else grpc.unary_unary_rpc_method_handler
    )
    return kind(
        behavior,
        request_deserializer=GetMessageClass(method.input_type).FromString,
        response_serializer=GetMessageClass(method.output_type).SerializeToString,
    )


def _told(error: Exception, name: str) -> ServiceError:
    """What a client learns of it; one that nobody foresaw goes into the log alone."""
    if isinstance(error, ServiceError):
        return error
    logger.error("%s failed", name, exc_info=error)
    return Internal()
