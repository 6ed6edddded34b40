"""By which names the service may be asked: a page can make its own name lead to this machine."""

from __future__ import annotations

import ipaddress

from larnn_service.admission.authority import authority, pattern, patterns
from larnn_service.admission.keys import ApiKeys
from larnn_service.errors import Forbidden, StartupError
from larnn_service.settings import Settings, entries
from larnn_service.wire.http import Head

LOOPBACK = ("localhost", "*.localhost")
"""Names that lead to this machine alone, whatever a name server says (RFC 6761, 6.3)."""


class Hosts:
    """The names of LARNN_ALLOWED_HOSTS, beside those of this machine.

    Without that setting a service with keys may be asked by any name: a page that has made a name
    its own has no key. A service without keys may be asked by loopback names alone, and where
    others reach it by any address: no name server says where an address leads.
    """

    def __init__(self, settings: Settings) -> None:
        """Raises StartupError where the setting names no host."""
        names = entries(settings.allowed_hosts)
        self._any = "*" in names or not names and bool(ApiKeys(settings.api_keys))
        self._names = {*LOOPBACK, *(_checked(name) for name in names if name != "*")}
        self._addresses = settings.allow_anyone or not settings.is_local
        self._last = "localhost"
        """The header that was let in last: most have the same, and to read one costs 10 µs."""

    def check(self, head: Head) -> None:
        """Raises Forbidden where the request is for a host of another name.

        One that names no host, as HTTP/1.0 may, comes from no page.
        """
        host = head.headers.get("host")
        if self._any or host is None or host == self._last:
            return
        if not self._is_named(host):
            raise Forbidden(
                "this service may not be asked by the name in the Host header; use localhost or "
                "127.0.0.1 on its own machine, or add the name to LARNN_ALLOWED_HOSTS"
            )
        self._last = host

    def _is_named(self, host: str) -> bool:
        if (asked := authority(host)) is None:
            return False
        if not self._names.isdisjoint(patterns(asked.name)):
            return True
        try:
            address = ipaddress.ip_address(asked.name.strip("[]"))
        except ValueError:
            return False
        return self._addresses or address.is_loopback


def _checked(name: str) -> str:
    found = pattern(name)
    if found is None or found.port is not None:
        raise StartupError(
            f"LARNN_ALLOWED_HOSTS: {name!r} is no name of a host; write larnn.example or "
            "*.example, without a port, or * for any"
        )
    return found.name
