"""One request on the short way: its body, what comes of it, the answer in one piece."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from larnn_service.admission.byte_budget import FREE, Held, WaitingBytes
from larnn_service.admission.callers import Callers
from larnn_service.api.desk import Desk
from larnn_service.api.heads import Head, KnownHead
from larnn_service.api.request_turn import RequestTurn
from larnn_service.backend.responses import Response
from larnn_service.endpoints import classify
from larnn_service.endpoints.classify import Asked
from larnn_service.endpoints.metrics import REQUEST_ID, measured
from larnn_service.engine.models.registry import key
from larnn_service.errors import Draining, Full, ServiceError
from larnn_service.interfaces import Model
from larnn_service.telemetry.calls import CALL, Call
from larnn_service.telemetry.metrics import Metrics
from larnn_service.wire import error_responses

logger = logging.getLogger(__name__)

_DOOR = f"POST {classify.PATH}"
_SCOPE = {"path": classify.PATH}
_GONE = 499
"""For the metrics alone: nobody reads it."""


@dataclass(frozen=True)
class ShortWay:
    """Where it leads, and who stands at it."""

    door: classify.ClassifyDoor
    desk: Desk
    turn: RequestTurn
    callers: Callers
    waiting: WaitingBytes
    metrics: Metrics
    at_work: set[Exchange] = field(default_factory=set)

    def has_room(self, owner: str, size: int) -> bool:
        """Whether a request of that size may come in. Those that may not take the long way, which
        tells them why."""
        if not owner and size <= FREE:
            return True
        try:
            self.callers.check_room(owner)
            self.waiting.check(size)
        except ServiceError:
            return False
        return True

    def close(self) -> None:
        """A drain took too long: whoever waits still is told so."""
        for exchange in list(self.at_work):
            exchange.refuse(Draining())


class Exchange:
    """uvicorn's protocol has it where it has ASGI's cycles, whose public names it shares."""

    message_event = asyncio.Event()
    """On which nobody waits."""

    def __init__(self, protocol: HttpToolsProtocol, way: ShortWay, head: Head) -> None:
        self.keep_alive = head.keep_alive
        self.disconnected = False
        self.response_complete = False
        self._since = time.perf_counter()
        self._protocol, self._way, self._head = protocol, way, head
        self._model: Model | None = None
        self._told: Call | None = None
        self._held: Held | None = None
        self._body = b""
        self._call_off: Callable[[], None] | None = None
        way.callers.begin(head.owner)
        way.at_work.add(self)

    def receive(self, part: bytes) -> None:
        """More of the body."""
        if self.response_complete:
            return
        self._body += part
        self.hold(len(self._body))

    def hold(self, size: int) -> None:
        """So many bytes have come, and count until they are answered."""
        if size <= FREE:
            return
        if self._held is None:
            self._held = Held(self._way.waiting)
        try:
            self._held.set(size)
        except Full as error:
            self.refuse(error)

    def start(self, known: KnownHead | None = None) -> None:
        """The body is whole: let the door read it and the engine run it."""
        if self.response_complete:
            return
        try:
            asked = self._way.door.read(self._head.query, self._head.kind, self._body)
        except Exception as error:
            return self.refuse(error)
        if known is not None:
            known.note(self._body, asked)
        self.ask(asked)

    def ask(self, asked: Asked) -> None:
        """Let the engine run it."""
        if self.response_complete:
            return
        self._body = b""
        self._model = asked.model
        try:
            self._call_off = self._way.desk.begin(asked, self)
        except Exception as error:
            self.refuse(error)

    def break_off(self) -> None:
        """The client has gone."""
        if not self.response_complete:
            self.disconnected = True
            self._close(_GONE)

    @property
    def default_headers(self) -> list[tuple[bytes, bytes]]:
        return self._protocol.server_state.default_headers

    def respond(self, response: Response) -> None:
        """With the whole response, or with its body where it says more of itself."""
        if self.response_complete:
            return
        if self._head.given is not None or not self.keep_alive:
            return self.answer(response.whole[response.body :])
        self._protocol.transport.write(response.whole)
        self._close(200)
        self._protocol.on_response_complete()

    def answer(self, body: bytes) -> None:
        """With this JSON."""
        length = (b"content-length", str(len(body)).encode())
        self._answer(200, (length, (b"content-type", b"application/json")), body)

    def refuse(self, error: Exception) -> None:
        """Answer with the error."""
        call = self._call()
        token = CALL.set(call)
        response = error_responses.answer(error, classify.PATH, _DOOR)
        CALL.reset(token)
        more = () if self._head.given is not None else ((REQUEST_ID, call.id.encode()),)
        self._answer(response.status_code, (*response.raw_headers, *more), bytes(response.body))

    def _answer(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        if self.response_complete:
            return
        protocol, parts = self._protocol, [STATUS_LINE[status]]
        for name, value in (*protocol.server_state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        if self._head.given is not None:
            parts += (REQUEST_ID, b": ", self._head.given.encode(), b"\r\n")
        if not self.keep_alive:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", body)
        protocol.transport.write(b"".join(parts))
        self._close(status)
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()

    def _close(self, status: int) -> None:
        """Nothing is left of it, in the engine neither."""
        way, seconds = self._way, time.perf_counter() - self._since
        self.response_complete = True
        self._body = b""
        if self._held is not None:
            self._held.set(0)
        way.callers.end(self._head.owner)
        way.at_work.discard(self)
        if self._call_off is not None:
            self._call_off()
            self._call_off = None  # they hold each other
        model = "" if self._model is None else self._model.manifest.name
        measured(way.metrics, classify.PATH, model, status, seconds)
        if logger.isEnabledFor(logging.DEBUG):
            token = CALL.set(self._call())
            logger.debug("%s %d in %.4f s", _DOOR, status, seconds)
            CALL.reset(token)

    def _call(self) -> Call:
        """What is told of it."""
        if self._told is None:
            self._told = Call(self._way.metrics, _SCOPE, self._head.given)
            if self._model is not None:
                self._told.model, self._told.version = key(self._model)
        return self._told
