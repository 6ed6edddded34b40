"""The handshake of a websocket, answered by the sans-IO protocol of the package websockets."""

from __future__ import annotations

from websockets.datastructures import Headers
from websockets.http11 import Request
from websockets.server import ServerProtocol

from larnn_service.wire import subprotocols
from larnn_service.wire.error_responses import problem
from larnn_service.wire.http import Head, Response

_READ = {"upgrade", "connection", "sec-websocket-key", "sec-websocket-version"}
_NEEDED = ("upgrade", "sec-websocket-version")
"""Headers of a refusal that say what would be accepted."""
_LONGEST = 256
"""Characters of a header that the protocol reads: a list of many items is slow to read."""
_REFUSED = (
    "this is no handshake of a websocket: send GET with Upgrade: websocket, Connection: Upgrade, "
    "Sec-WebSocket-Version: 13 and a Sec-WebSocket-Key of 16 bytes in base64"
)


def handshake_response(head: Head) -> tuple[Response, bool]:
    """The response to a handshake, and whether it accepts."""
    offered = subprotocols.offered(head.headers.get("sec-websocket-protocol", ""))
    chosen = subprotocols.chosen(offered)
    fields = Headers(
        (name, value)
        for name, value in head.headers.items()
        if name in _READ and len(value) <= _LONGEST
    )
    made = ServerProtocol().accept(Request(head.path, fields))
    if made.status_code != 101:
        told = [(name.lower(), value) for name, value in made.headers.raw_items()]
        needed = tuple((k.encode(), v.encode()) for k, v in told if k in _NEEDED)
        return problem(made.status_code, "bad_request", _REFUSED, head.path, needed), False
    more = [] if chosen is None else [("Sec-WebSocket-Protocol", chosen)]
    kept = [
        (name.lower().encode(), value.encode())
        for name, value in [*made.headers.raw_items(), *more]
        if name.lower() not in ("date", "content-length")
    ]
    return Response(b"", made.status_code, tuple(kept)), True
