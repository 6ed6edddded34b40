"""One request on the short way: its body, the task that answers it, the answer in one piece."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

from starlette.datastructures import QueryParams
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service.api import classify, failures
from service.api.callers import Callers
from service.api.telemetry import REQUEST_ID, decent, measured
from service.engine.waiting_bytes import Held, WaitingBytes
from service.errors import Draining, Full
from service.telemetry.calls import CALL, Call
from service.telemetry.metrics import Metrics

Fields = dict[bytes, bytes]
_DOOR = f"POST {classify.PATH}"
_SCOPE = {"path": classify.PATH}
_GONE = 499
"""For the metrics alone: nobody reads it."""


@dataclass(frozen=True)
class ShortWay:
    """Where it leads, and who stands at it."""

    door: classify.ClassifyDoor
    callers: Callers
    waiting: WaitingBytes
    metrics: Metrics
    max_body: int


class Exchange:
    """uvicorn's protocol has it where it has ASGI's cycles, whose public names it shares."""

    message_event = asyncio.Event()
    """On which nobody waits."""

    def __init__(
        self, protocol: HttpToolsProtocol, way: ShortWay, owner: str, query: bytes, fields: Fields
    ) -> None:
        self.keep_alive = True
        self.disconnected = False
        self.response_complete = False
        self._since = time.perf_counter()
        self._protocol, self._way, self._owner = protocol, way, owner
        self._query, self._fields = query, fields
        self._given = decent(fields.get(REQUEST_ID))
        self._call = Call(way.metrics, _SCOPE, self._given)
        self._held = Held(way.waiting)
        self._body = b""
        self._task: asyncio.Task[None] | None = None
        way.callers.begin(owner)

    def receive(self, part: bytes) -> None:
        """More of the body."""
        if self.response_complete:
            return
        self._body += part
        try:
            self._held.set(len(self._body))
        except Full as error:
            self._refuse(error)

    def start(self) -> None:
        """The body is whole: let the door answer."""
        if self.response_complete:
            return
        self._task = self._protocol.loop.create_task(self._run())
        self._protocol.tasks.add(self._task)
        self._task.add_done_callback(self._protocol.tasks.discard)

    def break_off(self) -> None:
        """The client has gone."""
        if self.response_complete:
            return
        self.disconnected = True
        self._end(_GONE)
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        CALL.set(self._call)
        kind = self._fields.get(b"content-type", b"").decode("latin-1")
        query = QueryParams(self._query) if self._query else {}
        try:
            asked = self._way.door.read(query, kind, self._body)
            self._body = b""
            answer = await self._way.door.answer(asked)
        except asyncio.CancelledError:
            if not self.disconnected:  # a drain that took too long
                self._refuse(Draining())
            raise
        except Exception as error:
            self._refuse(error)
        else:
            length = (b"content-length", str(len(answer)).encode())
            self._answer(200, (length, (b"content-type", b"application/json")), answer)

    def _refuse(self, error: Exception) -> None:
        token = CALL.set(self._call)
        response = failures.answer(error, classify.PATH, _DOOR)
        CALL.reset(token)
        self._answer(response.status_code, response.raw_headers, bytes(response.body))

    def _answer(self, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
        if self.response_complete:
            return
        protocol, parts = self._protocol, [STATUS_LINE[status]]
        for name, value in (*protocol.server_state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        if self._given is not None or status >= 400:
            parts += (REQUEST_ID, b": ", self._call.id.encode(), b"\r\n")
        if not self.keep_alive:
            parts.append(b"connection: close\r\n")
        parts += (b"\r\n", body)
        protocol.transport.write(b"".join(parts))
        self._end(status)
        if not self.keep_alive:
            protocol.transport.close()
        protocol.on_response_complete()

    def _end(self, status: int) -> None:
        self.response_complete = True
        self._body = b""
        self._held.set(0)
        self._way.callers.end(self._owner)
        measured(self._call, "POST", status, time.perf_counter() - self._since)
