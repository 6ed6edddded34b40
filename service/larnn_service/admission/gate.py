"""The gate: who may come in and with how much, asked in one place for HTTP, websocket and gRPC."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from larnn_service.admission.byte_budget import Held, WaitingBytes
from larnn_service.admission.callers import Callers
from larnn_service.admission.hosts import Hosts
from larnn_service.admission.origins import Origins
from larnn_service.admission.shares import SHARE, share_of
from larnn_service.errors import UnknownStream
from larnn_service.settings import Settings
from larnn_service.stream_ids import StreamIds
from larnn_service.wire import subprotocols
from larnn_service.wire.http import Head

OPEN = frozenset(
    ("/", "/healthz", "/readyz", "/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json")
)
"""Endpoints without a key: they say nothing of anyone."""
RESERVED = ("/healthz", "/readyz", "/metrics", "/models", "/v2/health", "/v2/repository")
"""Where probes and operators ask: some connections are kept back for them."""
PAGE = "/web"
"""The live page and its files need no key: the page asks for one."""
_PAGE_FILES = f"{PAGE}/"
_STREAMS = "/stream"
"""What the paths of all streams begin with."""


class Gate:
    """Hosts, origins, keys, owners of streams, and what each caller and all may have at work."""

    def __init__(self, settings: Settings, ids: StreamIds) -> None:
        """Raises StartupError where the settings cannot be read."""
        self._hosts = Hosts(settings)
        self.origins = Origins(settings.allowed_origins)
        self._callers = Callers(settings)
        limit, largest = settings.max_waiting_bytes, max(settings.max_body, settings.max_message)
        self.alone = share_of(limit, self._callers.owners) is None
        """Nobody shares with another owner of a key."""
        half = max(limit // SHARE, largest)
        nameless = half if self._callers.owners else limit
        self.bytes = WaitingBytes(limit, limit if self.alone else half, nameless)
        self._ids = ids

    def admit(self, head: Head) -> str:
        """The caller's name, empty where no keys are set, or where none is asked for.

        Raises Forbidden, Unauthorized, UnknownStream where the stream is not the caller's, Full.
        """
        self._hosts.check(head)
        path, headers = head.path, head.headers
        if path in OPEN or path.startswith(_PAGE_FILES):
            return ""
        if "origin" in headers:
            if self.origins.is_preflight(head):
                return ""
            self.origins.check(head)
        offered = headers.get("sec-websocket-protocol")
        key = None if offered is None else subprotocols.key(subprotocols.offered(offered))
        owner = self._callers.owner(headers.get("authorization", ""), key)
        if path.startswith(_STREAMS):
            stream = _stream_asked_for(head)
            if stream is not None and not self._ids.belongs_to(stream, owner):
                raise UnknownStream()
        self._callers.check_room(owner)
        return owner

    def admit_to_metrics(self, head: Head) -> str:
        """The same at the metrics' own port, which needs no key. Raises Forbidden."""
        self._hosts.check(head)
        self.origins.check(head)
        return ""

    def is_reserved(self, head: Head) -> bool:
        """Whether an operator or a probe needs it, however many others there are."""
        return head.path.startswith(RESERVED)

    def admit_grpc(self, authorization: str) -> str:
        """The same for a gRPC call, of which only the key is known. Raises Unauthorized, Full."""
        owner = self._callers.owner(authorization)
        self._callers.check_room(owner)
        return owner

    def begin(self, owner: str) -> Held:
        """A request or connection of the caller's begins; its bytes are counted by what returns."""
        self._callers.begin(owner)
        return Held(self.bytes, owner)

    def end(self, owner: str, held: Held) -> None:
        """It has ended, and holds nothing any more."""
        held.set(0)
        self._callers.end(owner)

    @contextlib.contextmanager
    def at_work(self, owner: str) -> Iterator[Held]:
        """From `begin` to `end`."""
        held = self.begin(owner)
        try:
            yield held
        finally:
            self.end(owner, held)


def _stream_asked_for(head: Head) -> str | None:
    """The id in /streams/ID/… or /stream?stream=ID."""
    _, first, *rest = head.path.split("/")
    if first == "streams" and rest:
        return rest[0]
    return head.query.get("stream") if first == "stream" else None
