"""From a websocket's message to what its client asks for: a chunk, or the end."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from starlette.datastructures import QueryParams

from larnn_service.backend.chunks import BINARY as BINARY_FRAME
from larnn_service.backend.chunks import TEXT as TEXT_FRAME
from larnn_service.endpoints.stream_inference import Wish
from larnn_service.engine.streams.chunk import Chunk
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import BadMessage
from larnn_service.interfaces import Floats
from larnn_service.wire.arrays import binary_chunk, check_chunk_size, chunk_steps, decode_json
from larnn_service.wire.stream_schemas import FROM_CLIENT, ChunkMessage, Emit
from larnn_service.wire.subprotocols import BINARY

_TRUTH = {"true": True, "false": False}


class Asked(NamedTuple):
    """A chunk, what to tell of it and whose trace it is in."""

    chunk: Chunk
    wish: Wish
    traceparent: str | None = None


class Reader:
    """Reads the messages of one connection."""

    def __init__(self, binary: bool, wish: Wish, max_chunk_steps: int) -> None:
        """`binary`: chunks are binary frames. `wish` is what the address says."""
        self._binary = binary
        self._wish = wish
        self._max_chunk_steps = max_chunk_steps

    def read(self, message: str | bytes, stream: Stream) -> Asked | None:
        """What is asked, or None for the end. Raises BadJson, BadMessage, BadShape, BadValue,
        EmptyChunk, TooLarge."""
        if isinstance(message, bytes):
            if not self._binary:
                raise BadMessage(f"binary frames need the subprotocol {BINARY}; send JSON as text")
            offset, steps = binary_chunk(message, stream.model)
            check_chunk_size(len(steps), self._max_chunk_steps)
            return Asked(Chunk(offset, steps), self._wish)
        decoded = decode_json(FROM_CLIENT, message)
        if not isinstance(decoded, ChunkMessage):
            return None
        if self._binary:
            raise BadMessage(f"under {BINARY} a chunk is a binary frame; only `end` is text")
        steps = chunk_steps(decoded, stream.model, self._max_chunk_steps)
        chunk = Chunk(decoded.offset, steps, decoded.acked)
        return Asked(chunk, self._wish.but(decoded), decoded.traceparent)

    def plain(self, found: list[int], values: Floats, text: bytes, stream: Stream) -> Asked | None:
        """Of a frame in which the native library has found this; None where it is not plainly
        right, and `read` tells."""
        kind, first, count, offset, width, start, end = found
        contract = stream.model.manifest.contract
        channels = len(contract.channels)
        if (
            kind != (BINARY_FRAME if self._binary else TEXT_FRAME)
            or contract.vocabulary is not None
        ):
            return None
        if (width or channels) != channels or count % channels:
            return None
        if not 0 < count // channels <= self._max_chunk_steps:
            return None
        steps = values[first : first + count].reshape(-1, channels)
        if self._binary:
            return Asked(Chunk(offset, steps), self._wish)
        try:
            decoded = FROM_CLIENT.decode(text[start:end])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        if not isinstance(decoded, ChunkMessage) or decoded.text is not msgspec.UNSET:
            return None
        chunk = Chunk(decoded.offset, steps, decoded.acked)
        return Asked(chunk, self._wish.but(decoded), decoded.traceparent)


def wish_of(query: QueryParams) -> Wish:
    """What the address says of all answers. Raises BadMessage."""
    logits, explain = (_TRUTH.get(query.get(name, "false")) for name in ("logits", "explain"))
    try:
        emit = msgspec.convert(query.get("emit", "last"), Emit, strict=False)
    except msgspec.ValidationError:
        emit = None
    if emit is None or logits is None or explain is None:
        raise BadMessage(
            "in the address: emit is last, every or a number of steps, logits and explain are "
            "true or false"
        )
    return Wish(logits, emit, explain)
