"""One websocket on a stream: from the handshake to an error in this library's words."""

from __future__ import annotations

import logging
from http import HTTPStatus
from types import TracebackType

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from larnn_client.answers import Prediction
from larnn_client.errors import CLOSE_CODES, ProtocolError, refused
from larnn_client.messages import BINARY, JSON, Binary, Ended, Opened, decode
from larnn_client.reading import AnswerReader
from larnn_client.service import Service

MAX_MESSAGE = 2**26
CLOSE_TIMEOUT = 0.1  # a peer that has answered no ping will not answer a close frame either
_LOGGER = logging.getLogger("larnn_client.websocket")
_LOGGER.setLevel(logging.INFO)  # websockets writes every header at debug, the key's too


class Lost(ConnectionError):
    """The connection broke or never came about: the stream may live on at its service."""


class NotReached(Lost):
    """Nothing listens at the address: no service has seen this attempt."""


class _Connect(connect):
    """Follows no redirect: the key is for the address that the caller gave."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Connection:
    """An async context manager; leaving it drops the connection without ceremony."""

    def __init__(self, service: Service, url: str, *, binary: Binary) -> None:
        """`binary`: chunks and answers shall be binary frames; of float32 where the service has
        them."""
        self._wanted = binary
        offered = ([BINARY[binary]] if binary else []) + ([] if binary == "int16" else [JSON])
        self._connect = _Connect(
            url.replace("http", "ws", 1),
            additional_headers=service.headers,
            subprotocols=[Subprotocol(name) for name in offered],
            compression=None,
            logger=_LOGGER,
            open_timeout=service.connect_timeout,
            ping_interval=service.keepalive,
            ping_timeout=service.keepalive,
            close_timeout=CLOSE_TIMEOUT,
            max_size=MAX_MESSAGE,
            ssl=(service.tls or True) if url.startswith("https") else None,
        )
        self._socket: ClientConnection | None = None
        self.reader: AnswerReader | None = None
        """Reads the answers: set when the stream is open."""

    async def __aenter__(self) -> Connection:
        """Raises Lost, or a Refused where something before the service refused the handshake."""
        try:
            self._socket = await self._connect
        except InvalidStatus as error:
            raise _of_handshake(error) from None
        except ConnectionRefusedError as error:
            raise NotReached(f"no connection: {error}") from None
        except (OSError, TimeoutError, EOFError, InvalidMessage) as error:
            raise Lost(f"no connection: {error or 'timed out'}") from None
        except InvalidHandshake as error:
            raise ProtocolError(f"no websocket of the service answers there: {error}") from None
        if self._wanted == "int16" and not self.binary:
            self.abort()
            raise ProtocolError(f"the service does not speak {BINARY[self._wanted]}")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.abort()

    @property
    def binary(self) -> Binary:
        """How chunks go: JSON where the service is an older one."""
        chosen = None if self._socket is None else self._socket.subprotocol
        return self._wanted if chosen in BINARY.values() else False

    def abort(self) -> None:
        """Drop it now: a close handshake with a broken peer would take its time."""
        if self._socket is not None:
            self._socket.transport.abort()

    async def send(self, frame: str | bytes) -> None:
        """Raises Lost."""
        assert self._socket is not None
        try:
            await self._socket.send(frame)
        except ConnectionClosed as error:
            raise _of_close(error) from None

    async def receive(self) -> Opened | Prediction | Ended:
        """The next message. Raises Lost, ProtocolError, and Refused for an error message."""
        assert self._socket is not None
        try:
            message = decode(await self._socket.recv(), self.reader)
        except ConnectionClosed as error:
            raise _of_close(error) from None
        if isinstance(message, Exception):
            raise message
        return message


def _of_close(error: ConnectionClosed) -> Exception:
    """The error of a close frame before which no error message came."""
    if error.rcvd is not None and (code := CLOSE_CODES.get(error.rcvd.code)):
        return refused(code, error.rcvd.reason or f"the service closed with {error.rcvd.code}")
    return Lost("the connection broke")


def _of_handshake(error: InvalidStatus) -> Exception:
    """The error of a gateway's answer; the service itself accepts every handshake."""
    status = error.response.status_code
    if status == HTTPStatus.UNAUTHORIZED:
        return refused("unauthorized", "something before the service wants another key")
    if status == HTTPStatus.NOT_FOUND:
        return refused("not_found", "there is no stream at that address")
    if status == HTTPStatus.FORBIDDEN:
        return refused("forbidden", "no stream at that address, or something before it says no")
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Lost(f"the address answers {status}")
    return ProtocolError(f"the address answers {status} instead of opening a websocket")
