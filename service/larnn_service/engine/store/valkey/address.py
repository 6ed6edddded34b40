"""What an address of Valkey or Redis says: where, how, and as whom."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import ConnectKwargs, parse_url

from larnn_service.errors import StartupError

Kind = Literal["server", "cluster", "sentinel"]
FORM = "redis://[NAME:PASSWORD@]HOST:PORT/0"
CLUSTER = "redis+cluster://[NAME:PASSWORD@]HOST:PORT,HOST:PORT"
SENTINEL = "redis+sentinel://[NAME:PASSWORD@]HOST:PORT,HOST:PORT/SERVICE"
SOCKET = "unix://[NAME:PASSWORD@]/PATH"
_FORMS: dict[Kind, str] = {"server": FORM, "cluster": CLUSTER, "sentinel": SENTINEL}
_PORTS: dict[Kind, int] = {"server": 6379, "cluster": 6379, "sentinel": 26379}
OPTIONS = (
    "client_name",
    "db",
    "health_check_interval",
    "protocol",
    "sentinel_password",
    "sentinel_username",
    "socket_keepalive",
    "ssl_ca_certs",
    "ssl_cert_reqs",
    "ssl_certfile",
    "ssl_check_hostname",
    "ssl_ciphers",
    "ssl_keyfile",
    "ssl_min_version",
)
"""What may follow a question mark, as redis-py names it."""
_SCHEME = re.compile(r"(redis|valkey)(s?)(?:\+(cluster|sentinel))?|unix")
_HOST = re.compile(r"\[[0-9a-fA-F:.%]+\]|[\w.-]+")
_NAME = re.compile(r"[\w.:-]+")


@dataclass(frozen=True)
class Address:
    """Where the servers are. Nothing of it is logged but `hosts`."""

    kind: Kind
    nodes: list[tuple[str, int]]
    """Of a cluster or the Sentinels: any of them; of a server: itself. None of a socket."""
    options: dict[str, Any] = field(repr=False)
    """Of redis-py's connections: credentials, database, TLS, a socket's path."""
    sentinel_options: dict[str, Any] = field(repr=False, default_factory=dict)
    service: str = ""
    """The name under which the Sentinels know the server."""

    @property
    def hosts(self) -> str:
        """For an operator to read."""
        return ", ".join(host for host, _ in self.nodes) or "the socket"


def read(address: str) -> Address:
    """Raises StartupError with one sentence, which repeats no piece of the address."""
    scheme = _SCHEME.fullmatch(address.partition("://")[0])
    if scheme is None:
        raise _refused(FORM, "the address has no scheme that is known")
    kind: Kind = scheme[3] or "server"  # type: ignore[assignment]
    socket = scheme[1] is None
    form = SOCKET if socket else _FORMS[kind]
    try:
        return _unix(address) if socket else _read(address, kind, bool(scheme[2]))
    except _Refused as refused:
        raise _refused(form, str(refused)) from None
    except ValueError:  # its words have a piece of the address
        raise _refused(form, "the address cannot be read") from None


class _Refused(Exception):
    """Why; the text is the operator's to read."""


def _refused(form: str, why: str) -> StartupError:
    return StartupError(
        f"LARNN_STORE: {why}: say {form}, and write %40 for @, %2F for /, %3A for :, "
        "%23 for #, %3F for ? and %25 for % in a name or a password"
    )


def _read(address: str, kind: Kind, encrypted: bool) -> Address:
    parts = urlsplit(address)
    if "@" in parts.path + parts.query or "#" in address:
        raise _Refused("a name or a password has a sign that means something in an address")
    user, _, hosts = parts.netloc.rpartition("@")
    nodes = [_node(host, _PORTS[kind]) for host in hosts.split(",")]
    if kind == "server" and len(nodes) > 1:
        raise _Refused("several servers are a cluster or Sentinels, and the scheme says which")
    path = [unquote(part) for part in parts.path.split("/") if part]
    service = ""
    if kind == "sentinel":
        if not path or not _NAME.fullmatch(path[0]):
            raise _Refused("the address does not name the service that the Sentinels watch")
        service = path.pop(0)
    if len(path) > 1 or not all(part.isdecimal() for part in path):
        raise _Refused("what follows the hosts is no number of a database")
    scheme = "rediss" if encrypted else "redis"
    plain = parse_url(f"{scheme}://{user}@host/{path[0] if path else ''}?{parts.query}")
    options = _options(plain, encrypted)
    options.pop("host")
    if kind == "cluster" and options.get("db", 0) != 0:
        raise _Refused("a cluster has database 0 alone")
    sentinels = {
        name.removeprefix("sentinel_"): options.pop(name)
        for name in ("sentinel_username", "sentinel_password")
        if name in options
    }
    if sentinels and kind != "sentinel":
        raise _Refused("there are no Sentinels to name to")
    sentinels |= {name: value for name, value in options.items() if name.startswith("ssl")}
    return Address(kind, nodes, options, sentinels, service)


def _unix(address: str) -> Address:
    parts = urlsplit(address)
    if "@" in parts.query or "#" in address:
        raise _Refused("a name or a password has a sign that means something in an address")
    if parts.netloc.rpartition("@")[2] or not parts.path.strip("/"):
        raise _Refused("the address does not name a socket by its whole path")
    return Address("server", [], _options(parse_url(address), encrypted=False))


def _options(found: ConnectKwargs, encrypted: bool) -> dict[str, Any]:
    """Those that are known, TLS among them as redis-py's three clients take it."""
    options: dict[str, Any] = {**found}
    options.pop("connection_class", None)
    known = {*OPTIONS, "username", "password", "host", "path"}
    if not options.keys() <= known:
        raise _Refused(f"an option is none of {', '.join(OPTIONS)}")
    if encrypted:
        options["ssl"] = True
    elif any(name.startswith("ssl") for name in options):
        raise _Refused("options of TLS need the scheme that has it, such as rediss://")
    return options


def _node(text: str, default: int) -> tuple[str, int]:
    host, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        host, port = text, str(default)
    if not _HOST.fullmatch(host) or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise _Refused("a host is followed by a port, a number below 65536")
    return host.strip("[]"), int(port)
