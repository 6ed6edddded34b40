"""Names of hosts, as the headers Host and Origin and the settings write them (RFC 3986, 3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_LONGEST = 253 + len(":65535")
_NAME = r"\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*"
_AUTHORITY = re.compile(rf"(?P<name>{_NAME})\.?(?::(?P<port>[0-9]{{0,5}}))?", re.I | re.A)
_BELOW = "*."


class Authority(NamedTuple):
    """A name in lower case or an address, that of IPv6 in brackets, and a port where one stands."""

    name: str
    port: int | None


def authority(text: str) -> Authority | None:
    """What `name` or `name:port` says; None where it is neither."""
    if len(text) > _LONGEST or (match := _AUTHORITY.fullmatch(text)) is None:
        return None
    return Authority(match["name"].lower(), int(match["port"]) if match["port"] else None)


def pattern(text: str) -> Authority | None:
    """The same of a setting, where `*.name` stands for every name below the name."""
    found = authority(text.removeprefix(_BELOW))
    if found is None or not text.startswith(_BELOW):
        return found
    return found._replace(name=_BELOW + found.name)


def patterns(name: str) -> Iterator[str]:
    """All patterns that the name fits: itself, and `*.` before each name that it is below."""
    yield name
    while "." in name:
        name = name.partition(".")[2]
        yield _BELOW + name
