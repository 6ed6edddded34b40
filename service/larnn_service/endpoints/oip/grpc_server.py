"""The gRPC port, in the service's own event loop.

Imported only where LARNN_GRPC_PORT asks for it: its packages are heavy.
"""

from __future__ import annotations

import logging

import grpc

from larnn_service.endpoints.oip.grpc_servicer import SERVICE, Doors
from larnn_service.errors import StartupError
from larnn_service.settings import Settings

logger = logging.getLogger(__name__)

MAX_METADATA = 2**14
"""Bytes of a call's metadata."""
MAX_CALLS = 256
"""Of one connection at a time."""
HANDSHAKE = 10_000
"""Milliseconds until a connection must speak HTTP/2."""
IDLE = 300_000
"""Milliseconds for which a connection is kept that asks nothing."""
PING = 20_000
"""Milliseconds between two pings, and until an unanswered one ends the connection."""


class GrpcServer:
    """Opened and closed with the service."""

    def __init__(self, doors: Doors, settings: Settings) -> None:
        self._doors = doors
        self._settings = settings

    async def start(self) -> None:
        """Listen. Raises StartupError."""
        settings = self._settings
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", settings.max_message),
                ("grpc.max_metadata_size", MAX_METADATA),
                ("grpc.max_concurrent_streams", MAX_CALLS),
                ("grpc.http2.bdp_probe", 0),  # a call's message comes only when it is read
                ("grpc.server_handshake_timeout_ms", HANDSHAKE),
                ("grpc.max_connection_idle_ms", IDLE),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),  # a port that is taken is an error
                ("grpc.keepalive_time_ms", PING),
                ("grpc.keepalive_timeout_ms", PING),
            ]
        )
        doors = grpc.method_handlers_generic_handler(SERVICE.full_name, self._doors.handlers())
        self._server.add_generic_rpc_handlers((doors,))
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
        pair = key.read_bytes(), certificate.read_bytes()
        return self._server.add_secure_port(address, grpc.ssl_server_credentials([pair]))

    async def stop(self) -> None:
        """Let what runs end, for the drain timeout at most."""
        self._doors.close()
        await self._server.stop(self._settings.drain_timeout)
