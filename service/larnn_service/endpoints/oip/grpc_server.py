"""The gRPC port, in the service's own event loop.

Imported only where LARNN_GRPC_PORT asks for it: its packages are heavy.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

import grpc

from larnn_service.endpoints.oip import grpc_health, grpc_reflection
from larnn_service.endpoints.oip.grpc_answers import Answers
from larnn_service.endpoints.oip.grpc_arrival import Arrival
from larnn_service.endpoints.oip.grpc_servicer import SERVICE, Doors
from larnn_service.engine.engine import Engine
from larnn_service.errors import StartupError
from larnn_service.settings import Settings

logger = logging.getLogger(__name__)

MAX_METADATA = 2**14
"""Bytes of a call's metadata."""
MAX_CALLS = 256
"""Of one connection at a time."""
HANDSHAKE = 10_000
"""Milliseconds until a connection must speak HTTP/2."""
AHEAD = 2**14
"""Bytes of a call's message that may come before it is read."""
PING = 20_000
"""Milliseconds between two pings, and until an unanswered one ends the connection."""

_SERVICES = (SERVICE, grpc_health.SERVICE, grpc_reflection.SERVICE)


class GrpcServer:
    """Opened and closed with the service."""

    def __init__(
        self,
        doors: Doors,
        engine: Engine,
        arrival: Arrival,
        answers: Answers,
        settings: Settings,
    ) -> None:
        self._doors = doors
        self._health = grpc_health.Health(engine, {SERVICE.full_name}, arrival, answers)
        self._reflection = grpc_reflection.Reflection(_SERVICES, arrival, answers)
        self._settings = settings
        self.max_connections = settings.max_connections
        """Open at once; one more is closed."""

    async def start(self) -> None:
        """Listen. Raises StartupError."""
        settings = self._settings
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", settings.max_message),
                ("grpc.max_metadata_size", MAX_METADATA),
                ("grpc.max_concurrent_streams", MAX_CALLS),
                ("grpc.http2.bdp_probe", 0),  # a call's message comes only when it is read
                ("grpc.http2.lookahead_bytes", AHEAD),
                ("grpc.max_allowed_incoming_connections", self.max_connections),
                ("grpc.server_handshake_timeout_ms", HANDSHAKE),
                ("grpc.max_connection_idle_ms", max(int(1000 * settings.keep_alive), 1)),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),  # a port that is taken is an error
                ("grpc.keepalive_time_ms", PING),
                ("grpc.keepalive_timeout_ms", PING),
                ("grpc.keepalive_permit_without_calls", 1),
                ("grpc.http2.max_ping_strikes", 0),  # a client may ping as often as it likes
            ]
        )
        for service, handlers in (
            (SERVICE, self._doors.handlers()),
            (grpc_health.SERVICE, self._health.handlers()),
            (grpc_reflection.SERVICE, self._reflection.handlers()),
        ):
            generic = grpc.method_handlers_generic_handler(service.full_name, handlers)
            self._server.add_generic_rpc_handlers((generic,))
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        try:
            port = self._listen(f"{host}:{settings.grpc_port}")
        except RuntimeError:
            raise StartupError(
                f"LARNN_GRPC_PORT: {host}:{settings.grpc_port} cannot be listened on; is it taken?"
            ) from None
        await self._server.start()
        logger.info("gRPC on %s:%d", host, port)

    def _listen(self, address: str) -> int:
        certificate, key = self._settings.tls_cert, self._settings.tls_key
        if certificate is None or key is None:
            return self._server.add_insecure_port(address)
        files = _Certificate(key, certificate)
        later: Any = files.if_changed  # its type says nothing of None
        credentials = grpc.dynamic_ssl_server_credentials(files.now(), later)
        return self._server.add_secure_port(address, credentials)

    async def stop(self) -> None:
        """Let what runs end, for the drain timeout at most."""
        self._doors.close()
        self._health.close()
        await self._server.stop(self._settings.drain_timeout)


class _Certificate:
    """The certificate's files, looked at when a connection is made: whoever renews them says so to
    nobody."""

    def __init__(self, key: Path, chain: Path) -> None:
        self._files = key, chain
        self._seen = self._read()
        self._said = ""
        """What was wrong with the files that were seen last: it is logged once, and not for each
        connection."""

    def now(self) -> Any:
        """The first configuration."""
        return grpc.ssl_server_certificate_configuration([self._seen])

    def if_changed(self) -> Any | None:
        """Another configuration, where the files hold another pair that fits together."""
        try:
            found = self._read()
            if found == self._seen:
                return None
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(self._files[1], self._files[0])
        except (OSError, ssl.SSLError) as error:  # such as half of it is written
            if (why := str(error)) != self._said:
                self._said = why
                logger.error("gRPC's certificate stays as it was: %s", why)
            return None
        self._seen, self._said = found, ""
        logger.info("gRPC's certificate is that of the files now")
        return self.now()

    def _read(self) -> tuple[bytes, bytes]:
        key, chain = self._files
        return key.read_bytes(), chain.read_bytes()
