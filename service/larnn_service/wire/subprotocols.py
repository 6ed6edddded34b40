"""What a websocket client may offer at its handshake: how it sends chunks, and its key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

BINARY, BINARY_INT16 = "larnn.f32.v1", "larnn.i16.v1"
SAMPLES: Mapping[str, np.dtype[Any]] = {BINARY: np.dtype("<f4"), BINARY_INT16: np.dtype("<i2")}
"""What the numbers of binary chunks are, by subprotocol."""
JSON = "larnn.json.v1"
_KEY = "larnn.key."


def offered(header: str) -> list[str]:
    """The names in a Sec-WebSocket-Protocol header."""
    return [name.strip() for name in header.split(",")]


def chosen(names: Sequence[str]) -> str | None:
    """The subprotocol to answer with; never the one that holds a key."""
    return next((name for name in (*SAMPLES, JSON) if name in names), None)


def key(names: Sequence[str]) -> str | None:
    """The key that a browser offers as larnn.key.KEY, since it can set no header."""
    return next((name.removeprefix(_KEY) for name in names if name.startswith(_KEY)), None)
