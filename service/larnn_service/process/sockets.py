"""Sockets that several processes listen on together, or one alone."""

from __future__ import annotations

import socket

from larnn_service.errors import StartupError

BACKLOG = 2048
"""Connections that wait for a worker, as uvicorn has it."""


def bound(host: str, port: int, shared: bool) -> socket.socket:
    """A socket at this address, which does not listen yet. Raises StartupError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    own = socket.socket(family, socket.SOCK_STREAM)
    own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if shared:
        own.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        own.bind((host, port))
    except OSError as error:
        own.close()
        raise _refused(host, port, error.strerror) from None
    return own


def listen(sockets: list[socket.socket]) -> None:
    """Raises StartupError where somebody else does by now; uvloop would go on without a word."""
    for own in sockets:
        try:
            own.listen(BACKLOG)
        except OSError as error:
            host, port = own.getsockname()[:2]
            raise _refused(host, port, error.strerror) from None


def locked(host: str, port: int) -> socket.socket:
    """A name that one service of this kind has, while it lives: two would share the port, since
    none listens while it loads. Raises StartupError."""
    lock = socket.socket(socket.AF_UNIX)
    try:
        lock.bind(f"\0larnn {host}:{port}")
    except OSError:
        lock.close()
        raise _refused(host, port, "others start there") from None
    return lock


def _refused(host: str, port: int, why: str | None) -> StartupError:
    return StartupError(f"{host}:{port} cannot be listened on: {why}")
