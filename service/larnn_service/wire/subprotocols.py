"""What a websocket client may offer at its handshake: how chunks and answers go, and its key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np


class Form(NamedTuple):
    """How the chunks and the answers of a connection go."""

    samples: np.dtype[Any] | None = None
    """What the numbers of binary chunks are; None where chunks are JSON."""
    all_binary: bool = False
    """Chunks say what they acknowledge, and answers are binary, too."""


_FLOAT32, _INT16 = np.dtype("<f4"), np.dtype("<i2")
FORMS: Mapping[str, Form] = {
    "larnn.f32.v2": Form(_FLOAT32, all_binary=True),
    "larnn.i16.v2": Form(_INT16, all_binary=True),
    "larnn.f32.v1": Form(_FLOAT32),
    "larnn.i16.v1": Form(_INT16),
}
"""Those with binary frames, by subprotocol."""
JSON = "larnn.json.v1"
_KEY = "larnn.key."


def form(subprotocol: str | None) -> Form:
    """How a connection with this subprotocol goes; JSON without one."""
    return FORMS.get(subprotocol or "", Form())


def offered(header: str) -> list[str]:
    """The names in a Sec-WebSocket-Protocol header."""
    return [name.strip() for name in header.split(",")]


def chosen(names: Sequence[str]) -> str | None:
    """The subprotocol to answer with; never the one that holds a key."""
    return next((name for name in (*FORMS, JSON) if name in names), None)


def key(names: Sequence[str]) -> str | None:
    """The key that a browser offers as larnn.key.KEY, since it can set no header."""
    return next((name.removeprefix(_KEY) for name in names if name.startswith(_KEY)), None)
