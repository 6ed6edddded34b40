"""The gRPC calls as a client reaches them: its key, its errors, its conversations."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, NoReturn

import grpc
from tritonclient.grpc import service_pb2 as pb

from larnn_service.admission.gate import Gate
from larnn_service.endpoints.oip import grpc_convert
from larnn_service.endpoints.oip.grpc_arrival import Arrival, handler, whole
from larnn_service.endpoints.oip.grpc_methods import Calls, Message
from larnn_service.endpoints.oip.grpc_status import STATUS, Context, refuse
from larnn_service.engine.engine import Engine
from larnn_service.errors import Draining, Internal, ServiceError
from larnn_service.telemetry.calls import CALL, Call, failed

logger = logging.getLogger(__name__)

SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
OPEN = ("ServerLive", "ServerReady")
"""Without a key: they say nothing of anyone."""
CONVERSATION = "ModelStreamInfer"
AHEAD = 64
"""Requests of one conversation that may be in work before the first of them is answered."""

Asked = asyncio.Queue[asyncio.Task[Message] | None]
"""The answers to come, in order; None after the last."""


class Doors:
    """Every call of gRPC, behind the gate."""

    def __init__(self, calls: Calls, gate: Gate, engine: Engine, arrival: Arrival) -> None:
        self._calls = calls
        self._arrival = arrival
        self._gate = gate
        self._engine = engine
        self._metrics = engine.streams.metrics
        self._closing = asyncio.Event()

    def handlers(self) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        """By the call's name. A call that is not among them is UNIMPLEMENTED."""
        behaviors: dict[str, Any] = {name: self._answering(name) for name in self._calls.by_name}
        behaviors |= {CONVERSATION: self._converse}
        methods = SERVICE.methods_by_name
        return {name: handler(methods[name], behavior) for name, behavior in behaviors.items()}

    def close(self) -> None:
        """End every conversation, after the answers to what it has asked."""
        self._closing.set()

    def _answering(self, name: str) -> Callable[[Message, Context], Awaitable[Message]]:
        call = self._calls.by_name[name]
        arrived = self._arrival.open_message if name in OPEN else self._arrival.message

        async def answer(_: Message, context: Context) -> Message:
            with self._observed(name) as outcome:
                try:
                    owner = "" if name in OPEN else self._admit(context)
                    with self._gate.at_work(owner) as held:
                        request = await arrived(context)
                        held.set(request.ByteSize())
                        return await call(request, owner)
                except Exception as error:
                    outcome.error = _told(error, name)
            await refuse(context, outcome.error)

        return answer

    def _admit(self, context: Context) -> str:
        """The caller's name. Raises Unauthorized, Full."""
        sent = dict(context.invocation_metadata() or ())
        return self._gate.admit_grpc(str(sent.get("authorization", "")))

    async def _converse(self, _: Message, context: Context) -> None:
        """Answers in order. Requests of several sequences run together, those of one in turn."""
        try:
            owner = self._admit(context)
        except ServiceError as error:
            await self._end(context, error)
        asked: Asked = asyncio.Queue(AHEAD)
        with self._gate.at_work(owner):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._listen(context, owner, asked, group))
                while (answer := await asked.get()) is not None:
                    await context.write(await answer)
        if self._closing.is_set():
            await self._end(context, Draining())

    async def _end(self, context: Context, error: ServiceError) -> NoReturn:
        with self._observed(CONVERSATION) as outcome:
            outcome.error = _told(error, CONVERSATION)
        await refuse(context, error)

    async def _listen(
        self, context: Context, owner: str, asked: Asked, group: asyncio.TaskGroup
    ) -> None:
        """Take requests until the client has no more, or the service none."""
        closing = asyncio.create_task(self._closing.wait())
        unanswered: set[asyncio.Task[Message]] = set()
        try:
            while True:
                reading = asyncio.ensure_future(context.read())
                await asyncio.wait({reading, closing}, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done() or (request := reading.result()) is grpc.aio.EOF:
                    reading.cancel()
                    return await asked.put(None)
                task = group.create_task(self._answer(request, owner, ahead=bool(unanswered)))
                unanswered.add(task)
                task.add_done_callback(unanswered.discard)
                await asked.put(task)
        finally:
            closing.cancel()

    async def _answer(self, request: Message, owner: str, ahead: bool) -> Message:
        """An answer of a conversation, which goes on after an error.

        `ahead`: one before it is not answered yet. Such requests share a few places, and come into
        work one after the other.
        """
        pacer = self._engine.pacer
        with self._observed(CONVERSATION) as outcome:
            try:
                with self._gate.bytes.held(owner) as held:
                    held.set(whole(request).ByteSize())
                    async with pacer.ahead() if ahead else pacer.first():
                        inferred = await self._calls.infer(request, owner)
                return pb.ModelStreamInferResponse(infer_response=inferred)
            except Exception as error:
                outcome.error = _told(error, CONVERSATION)
                return grpc_convert.stream_error(request, outcome.error)

    @contextlib.contextmanager
    def _observed(self, name: str) -> Iterator[Outcome]:
        """Measure it as an HTTP request is: its door, its status by gRPC's name, its time."""
        call, outcome = Call(self._metrics, name), Outcome()
        CALL.set(call)
        start, status = time.perf_counter(), "CANCELLED"
        try:
            yield outcome
            status = "OK" if outcome.error is None else STATUS[outcome.error.code].name
        finally:
            call.answered(status, time.perf_counter() - start)


class Outcome:
    """What came of a call."""

    error: ServiceError | None = None


def _told(error: Exception, name: str) -> ServiceError:
    """What a client learns of it; one that nobody foresaw goes into the log alone."""
    if not isinstance(error, ServiceError):
        logger.error("%s failed", name, exc_info=error)
        error = Internal()
    failed(error.code)
    return error
