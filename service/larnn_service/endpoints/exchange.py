"""One HTTP request on its way: admission, body, endpoint, response. The same in every transport."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeVar

from larnn_service.admission.byte_budget import Held
from larnn_service.admission.gate import Gate
from larnn_service.endpoints.decoding import Decoding
from larnn_service.endpoints.request_body import decompressed
from larnn_service.errors import Draining, Full, Internal, ServiceError, TooLarge
from larnn_service.tasks import Tasks
from larnn_service.telemetry.calls import CALL, Call
from larnn_service.telemetry.metrics import Metrics
from larnn_service.wire.content_encoding import body_too_large, is_encoded
from larnn_service.wire.error_responses import no_such_door, response_of
from larnn_service.wire.http import Head, Response

logger = logging.getLogger(__name__)

T = TypeVar("T")
Answer = Callable[[Response | Exception], None]
"""Gets the response or the error, once, in the event loop."""
REQUEST_ID = "x-request-id"
CLIENT_GONE = 499
"""The status of a request whose client has gone, for metrics and the log: nobody reads it."""
_FIT_FOR_A_LOG = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Request(NamedTuple):
    """A whole request that was admitted."""

    head: Head
    parameters: dict[str, str]
    """What stands in the path in the place of the route's names."""
    body: bytes | bytearray
    owner: str


class Endpoint(Protocol):
    """Decodes a request, lets the engine run it, and encodes what comes of it."""

    method: str
    routes: tuple[str, ...]
    """Templates of its paths."""
    max_body: int
    """Bytes of a body at most."""
    documentation: dict[str, Any]
    """Its part of the OpenAPI document."""

    def begin(self, request: Request, answer: Answer) -> Callable[[], object] | None:
        """Start the work; raise the error, or call `answer` once. Returns what abandons the work,
        if it can be."""
        ...


def answering(answer: Answer, encode: Callable[[T], Response]) -> Callable[[T | Exception], None]:
    """A callback for the engine: encodes its result and answers with that, or with the error."""

    def then(outcome: T | Exception) -> None:
        told: Response | Exception
        try:
            told = outcome if isinstance(outcome, Exception) else encode(outcome)
        except Exception as error:
            told = error
        answer(told)

    return then


def answering_aside(
    answer: Answer,
    encode: Callable[[T], Response],
    decoding: Decoding,
    is_large: Callable[[T], bool],
    owner: str,
) -> Callable[[T | Exception], None]:
    """The same; a large result is encoded in the thread of large bodies, in the owner's turn."""
    at_once = answering(answer, encode)

    def then(outcome: T | Exception) -> None:
        if isinstance(outcome, Exception) or not is_large(outcome):
            at_once(outcome)
        else:
            decoding.begin(partial(encode, outcome), answer, answer, owner, 0)

    return then


def request_id(headers: dict[str, str]) -> str | None:
    """The caller's own name for the request, where it is fit for a log."""
    given = headers.get(REQUEST_ID)
    return given if given is not None and _FIT_FOR_A_LOG.fullmatch(given) else None


@dataclass(frozen=True)
class Pipeline:
    """What every exchange shares."""

    gate: Gate
    metrics: Metrics
    decoding: Decoding
    at_work: set[Exchange] = field(default_factory=set)
    tasks: Tasks = field(default_factory=Tasks)

    def close(self) -> None:
        """The drain took too long: whoever waits still is told so."""
        for exchange in list(self.at_work):
            exchange.answer(Draining())


class Exchange:
    """From a request's head to its response. A transport calls `receive`, `finish`, `abandon`."""

    def __init__(
        self,
        pipeline: Pipeline,
        endpoint: Endpoint,
        route: str,
        parameters: dict[str, str],
        head: Head,
        respond: Callable[[Response], None],
    ) -> None:
        """Admits the request, or responds with the reason why not; `respond` is called once."""
        self.answered = False
        self._since = time.perf_counter()
        self._pipeline, self._endpoint, self._parameters = pipeline, endpoint, parameters
        self._head, self._respond = head, respond
        self._request_id = request_id(head.headers)
        self._call = Call(pipeline.metrics, route, self._request_id)
        self._body: bytes | bytearray = b""
        self._held: Held | None = None
        self.owner = ""
        """The caller's name, once it is admitted."""
        self._abandon: Callable[[], object] | None = None
        traces = pipeline.metrics.traces
        self._span = None
        if traces is not None:
            about = head.path, head.query_string, head.headers
            self._span = traces.request(head.method, route, *about)
        pipeline.at_work.add(self)
        try:
            self._admit()
        except ServiceError as error:
            self.answer(error)

    def _admit(self) -> None:
        """Look at all that the head says, before any of the body is read."""
        owner = self._pipeline.gate.admit(self._head)
        if self._head.method != self._endpoint.method:
            return self._refuse_method()
        announced = self._head.content_length
        self._check_size(announced)
        gate = self._pipeline.gate
        gate.bytes.check(announced, owner)
        self.owner, self._held = owner, gate.begin(owner)

    def _refuse_method(self) -> None:
        allow = ((b"allow", self._endpoint.method.encode()),)
        self.answer(no_such_door(self._head.method, self._head.path, 405, allow))

    def _check_size(self, size: int) -> None:
        if size > self._endpoint.max_body:
            raise body_too_large(self._endpoint.max_body)

    def receive(self, part: bytes) -> None:
        """More of the body has come; it is counted until the request is answered."""
        if self.answered or self._held is None:
            return
        size = len(self._body) + len(part)
        try:
            self._check_size(size)
            self._held.set(size)
        except (TooLarge, Full) as error:
            return self.answer(error)
        if not self._body:
            self._body = part
        else:  # many small parts take no more than they hold
            if isinstance(self._body, bytes):
                self._body = bytearray(self._body)
            self._body += part

    def finish(self) -> None:
        """The body is whole: let the endpoint begin."""
        if self.answered:
            return
        body, self._body = self._body, b""
        if not is_encoded(self._head):
            return self._begin(body)
        token = CALL.set(self._call)
        self._abandon = self._pipeline.tasks.start(self._decompress(body))
        CALL.reset(token)

    async def _decompress(self, body: bytes | bytearray) -> None:
        assert self._held is not None
        parts = body if isinstance(body, bytearray) else bytearray(body)
        aside = partial(self._pipeline.decoding.result, owner=self.owner, size=len(parts))
        limit = self._endpoint.max_body
        try:
            plain = await decompressed(self._head, parts, limit, self._held, aside)
        except Exception as error:
            return self.answer(error)
        self._abandon = None
        self._begin(plain)

    def _begin(self, body: bytes | bytearray) -> None:
        request = Request(self._head, self._parameters, body, self.owner)
        token = CALL.set(self._call)
        try:
            if self._span is None:
                abandon = self._endpoint.begin(request, self.answer)
            else:
                with self._span.current():
                    abandon = self._endpoint.begin(request, self.answer)
            if not self.answered:
                self._abandon = abandon
        except Exception as error:
            self.answer(error)
        finally:
            CALL.reset(token)

    def abandon(self) -> None:
        """The client has gone: nobody reads a response."""
        if not self.answered:
            self._end(CLIENT_GONE)

    def answer(self, outcome: Response | Exception) -> None:
        """Respond with this, or with what a client is told of the error; only the first counts."""
        if self.answered:
            return
        response = outcome if isinstance(outcome, Response) else self._response_of(outcome)
        headers = response.headers + self._pipeline.gate.origins.response_headers(self._head)
        if self._request_id is not None or response.status >= 400:
            headers += ((REQUEST_ID.encode(), self._call.id.encode()),)
        self._end(response.status)
        self._respond(Response(response.body, response.status, headers))

    def _response_of(self, error: Exception) -> Response:
        if not isinstance(error, ServiceError):
            token = CALL.set(self._call)
            logger.error("%s %s failed", self._head.method, self._call.door, exc_info=error)
            CALL.reset(token)
            error = Internal()
        self._call.failed(error.code)
        return response_of(error, self._head.path)

    def _end(self, status: int) -> None:
        """Nothing is left of it, in the engine neither; it is measured."""
        self.answered, self._body = True, b""
        pipeline, call = self._pipeline, self._call
        pipeline.at_work.discard(self)
        if self._held is not None:
            pipeline.gate.end(self.owner, self._held)
        if self._abandon is not None:
            self._abandon()
            self._abandon = None
        seconds = time.perf_counter() - self._since
        call.answered(str(status), seconds)
        if self._span is not None:
            self._span.end(status)
        if logger.isEnabledFor(logging.DEBUG):
            token = CALL.set(call)
            logger.debug("%s %s %d in %.4f s", self._head.method, call.door, status, seconds)
            CALL.reset(token)
