"""The gRPC calls as a client reaches them: its key, its errors, its conversations."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import grpc
from tritonclient.grpc import service_pb2 as pb

from larnn_service.admission.byte_budget import Held
from larnn_service.admission.gate import Gate
from larnn_service.endpoints.oip import grpc_convert
from larnn_service.endpoints.oip.grpc_answers import Answers
from larnn_service.endpoints.oip.grpc_arrival import Arrival, handler
from larnn_service.endpoints.oip.grpc_messages import parsed
from larnn_service.endpoints.oip.grpc_methods import Call, Calls
from larnn_service.endpoints.oip.grpc_status import STATUS, Context, refuse
from larnn_service.engine.engine import Engine
from larnn_service.errors import Draining, Internal, ServiceError, TooSlow
from larnn_service.telemetry import calls as telemetry

logger = logging.getLogger(__name__)

SERVICE = pb.DESCRIPTOR.services_by_name["GRPCInferenceService"]
OPEN = ("ServerLive", "ServerReady")
"""Without a key: they say nothing of anyone."""
CONVERSATION = "ModelStreamInfer"
_ASKED = SERVICE.methods_by_name[CONVERSATION].input_type
AHEAD = 64
"""Requests of one conversation that may be in work before the first of them is answered."""


class _Part(NamedTuple):
    """A request of a conversation in work, or its answer."""

    answer: asyncio.Task[bytes]
    held: Held
    """Its bytes, then those of its answer until that is read."""


Asked = asyncio.Queue[_Part | None]
"""The answers to come, in order; None after the last."""


class Doors:
    """Every call of gRPC, behind the gate."""

    def __init__(
        self, calls: Calls, gate: Gate, engine: Engine, arrival: Arrival, answers: Answers
    ) -> None:
        self._calls = calls
        self._arrival, self._answers = arrival, answers
        self._gate = gate
        self._engine = engine
        self._metrics = engine.streams.metrics
        self._closing = asyncio.Event()

    def handlers(self) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        """By the call's name. A call that is not among them is UNIMPLEMENTED."""
        behaviors: dict[str, Any] = {
            name: self._answering(name, call) for name, call in self._calls.by_name.items()
        }
        behaviors |= {CONVERSATION: self._converse}
        return {name: handler(behavior) for name, behavior in behaviors.items()}

    def close(self) -> None:
        """End every conversation, after the answers to what it has asked."""
        self._closing.set()

    def _answering(self, name: str, call: Call) -> Callable[[Any, Context], Awaitable[None]]:
        kind = SERVICE.methods_by_name[name].input_type

        async def asked(context: Context, until_read: ExitStack) -> bytes:
            if name in OPEN:
                until_read.enter_context(self._arrival.open_call(context))
                request = await self._arrival.open_message(context, kind)
                return bytes((await call(request, "")).SerializeToString())
            owner, held = self._begin(context, until_read)
            request = parsed(kind, await self._arrival.message(context, owner), held)
            told = (await call(request, owner)).SerializeToString()
            held.set(len(told))
            return bytes(told)

        async def answer(_: Any, context: Context) -> None:
            with ExitStack() as until_read:
                with self._observed(name) as outcome:
                    try:
                        told = await asked(context, until_read)
                    except Exception as error:
                        outcome.error = _told(error, name)
                if outcome.error is None:
                    await self._answers.write(context, told)
                else:
                    refuse(context, outcome.error)

        return answer

    def _begin(self, context: Context, until_read: ExitStack) -> tuple[str, Held]:
        """The caller's name, and the account of the call's bytes until its answer is read.

        Raises Unauthorized, Full.
        """
        sent = dict(context.invocation_metadata() or ())
        owner = self._gate.admit_grpc(str(sent.get("authorization", "")))
        until_read.enter_context(self._arrival.call(owner))
        return owner, until_read.enter_context(self._gate.at_work(owner))

    async def _converse(self, _: Any, context: Context) -> None:
        """Answers in order. Requests of several sequences run together, those of one in turn."""
        with ExitStack() as until_read:
            try:
                owner, _held = self._begin(context, until_read)
                until_read.enter_context(self._arrival.conversation(owner))
                ended = await self._talk(context, owner)
            except ServiceError as error:
                ended = error
        if ended is not None:
            with self._observed(CONVERSATION) as outcome:
                outcome.error = _told(ended, CONVERSATION)
            refuse(context, ended)

    async def _talk(self, context: Context, owner: str) -> ServiceError | None:
        """Why it ends, where it is not for its client's end."""
        asked: Asked = asyncio.Queue(AHEAD)
        parts: set[Held] = set()
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._listen(context, owner, asked, group, parts))
                while (part := await asked.get()) is not None:
                    await self._answers.write(context, await part.answer)
                    part.held.set(0)
                    parts.discard(part.held)
        finally:
            for held in parts:
                held.set(0)
        return listening.result()

    async def _listen(
        self,
        context: Context,
        owner: str,
        asked: Asked,
        group: asyncio.TaskGroup,
        parts: set[Held],
    ) -> ServiceError | None:
        """Take requests until the client has no more, or the service none. Returns why."""
        closing = asyncio.create_task(self._closing.wait())
        unanswered: set[asyncio.Task[bytes]] = set()
        ended: ServiceError | None = None
        try:
            while True:
                reading = asyncio.create_task(self._arrival.next_message(context))
                await asyncio.wait({reading, closing}, return_when=asyncio.FIRST_COMPLETED)
                if not reading.done():
                    reading.cancel()
                    ended = Draining()
                    break
                if (data := reading.result()) is None:
                    break
                held = Held(self._gate.bytes, owner)
                parts.add(held)
                task = group.create_task(self._answer(data, held, owner, ahead=bool(unanswered)))
                unanswered.add(task)
                task.add_done_callback(unanswered.discard)
                await asked.put(_Part(task, held))
        except TooSlow as error:
            ended = error
        finally:
            closing.cancel()
        await asked.put(None)
        return ended

    async def _answer(self, data: bytes, held: Held, owner: str, ahead: bool) -> bytes:
        """An answer of a conversation, which goes on after an error.

        `ahead`: one before it is not answered yet. Such requests share a few places, and come into
        work one after the other.
        """
        pacer, request = self._engine.pacer, None
        with self._observed(CONVERSATION) as outcome:
            try:
                request = parsed(_ASKED, data, held)
                async with pacer.ahead() if ahead else pacer.first():
                    inferred = await self._calls.infer(request, owner)
                told = pb.ModelStreamInferResponse(infer_response=inferred).SerializeToString()
                held.set(len(told))
            except Exception as error:
                outcome.error = _told(error, CONVERSATION)
                told = grpc_convert.stream_error(request, outcome.error).SerializeToString()
        return bytes(told)

    @contextmanager
    def _observed(self, name: str) -> Iterator[Outcome]:
        """Measure it as an HTTP request is: its door, its status by gRPC's name, its time."""
        call, outcome = telemetry.Call(self._metrics, name), Outcome()
        telemetry.CALL.set(call)
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
    telemetry.failed(error.code)
    error.__context__ = None  # frames that hold the message
    return error.with_traceback(None)
