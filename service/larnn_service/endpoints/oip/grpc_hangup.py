"""Ending connections of gRPC, which has no call for it: their sockets are looked for."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import socket
from urllib.parse import unquote

from larnn_service.tasks import Tasks

_OPEN_FILES = "/dev/fd"
"""Where the system lists those of this process; on Windows nowhere."""
Address = tuple[str, int]
"""An address and a port."""


class HangUp:
    """Ends the connections of these peers, one search after the other in a thread."""

    def __init__(self) -> None:
        self._peers: set[Address] = set()
        self._tasks = Tasks()
        self._searching = False

    def __call__(self, peer: str) -> None:
        """End it soon. `peer` as `ServicerContext.peer` names it; from the event loop's thread."""
        with contextlib.suppress(ValueError):  # its connection is gone
            self._peers.add(address_of(peer))
        if not self._searching:
            self._searching = True
            self._tasks.start(self._search())

    async def _search(self) -> None:
        try:
            while self._peers:
                peers, self._peers = self._peers, set()
                await asyncio.to_thread(shut_down, peers)
        finally:
            self._searching = False


def address_of(peer: str) -> Address:
    """Of a peer's name, such as ipv4:127.0.0.1:7 or ipv6:%5B::1%5D:7. Raises ValueError."""
    host, _, port = unquote(peer).partition(":")[2].rpartition(":")
    return _plain(host.strip("[]")), int(port)


def shut_down(peers: set[Address]) -> None:
    """End every connection of this process to one of these."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(_OPEN_FILES):
            with contextlib.suppress(OSError):  # it is no socket, has no peer, or is closed by now
                copy = os.dup(int(name))  # nobody else closes it
                try:
                    _shut_down_one_of(peers, copy)
                finally:
                    os.close(copy)


def _shut_down_one_of(peers: set[Address], file: int) -> None:
    found = socket.socket(fileno=file)
    try:
        peer = found.getpeername()
        if isinstance(peer, tuple) and (_plain(peer[0]), peer[1]) in peers:
            found.shutdown(socket.SHUT_RDWR)
    finally:
        found.detach()


def _plain(host: str) -> str:
    """An address of IPv4 as such, also where a socket of IPv6 has it."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)
