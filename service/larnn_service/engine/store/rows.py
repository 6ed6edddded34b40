"""What a store has of a stream, checked as it is read: nothing in it is taken as it stands."""

from __future__ import annotations

import re

from larnn_service.contract import MAX_VERSION
from larnn_service.engine.store.interface import Head
from larnn_service.engine.streams.checkpoint import Checkpoint, DamagedCheckpoint, decode

MAX_FENCE = 10**15 - 1
"""Above any time in milliseconds, and exact in every store; Valkey's scripts count its digits."""
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")


def head(fence: object, model: object, version: object) -> Head:
    """The fields as the store has them. Raises DamagedCheckpoint with the field's name."""
    if not isinstance(fence, int) or not 0 < fence <= MAX_FENCE:
        raise DamagedCheckpoint("its fence is no number that the store gives")
    if not isinstance(model, str) or not _NAME.fullmatch(model):
        raise DamagedCheckpoint("its model is no model's name")
    if not isinstance(version, int) or not 0 < version <= MAX_VERSION:
        raise DamagedCheckpoint("its version is no model's version")
    return Head(fence, model, version)


def checkpoint(
    stream: str, fence: object, model: object, version: object, data: object
) -> Checkpoint:
    """The same with the checkpoint's bytes. Raises DamagedCheckpoint."""
    row = head(fence, model, version)
    if not isinstance(data, bytes):
        raise DamagedCheckpoint("its checkpoint is not stored as bytes")
    found = decode(data, row.fence)
    if found.stream != stream:
        raise DamagedCheckpoint("its checkpoint is another stream's")
    if (found.model, found.version) != (row.model, row.version):
        raise DamagedCheckpoint("its checkpoint is of another model than the row")
    return found
