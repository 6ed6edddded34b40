"""Compressed bodies are read in pieces, each of which has room before it is there."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from larnn_service.admission.byte_budget import FREE, Held, WaitingBytes
from larnn_service.endpoints.request_body import decompressed
from larnn_service.errors import BadMessage, Full, ServiceError, TooLarge
from larnn_service.wire.content_encoding import PIECE
from larnn_service.wire.http import Head

NOISE = np.random.default_rng(0).bytes(3 * PIECE)
ENCODERS: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "deflate": zlib.compress}


async def here(work: Callable[[], Any]) -> Any:
    return work()


async def read(encoding: str, body: bytes, limit: int, room: int = 2**30) -> bytes:
    """With room for so many bytes beside the free ones."""
    waiting, head = WaitingBytes(room), Head("POST", "/", "", {"content-encoding": encoding})
    plain = bytes(await decompressed(head, bytearray(body), limit, Held(waiting), here))
    assert waiting.total == max(len(plain) - FREE, 0)
    return plain


@pytest.mark.parametrize("encoding", ENCODERS)
@pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE, 3 * PIECE])
async def test_what_was_compressed_comes_back(encoding: str, size: int) -> None:
    for plain in (NOISE[:size], bytes(size)):
        body = ENCODERS[encoding](plain)
        assert await read(encoding, body, size) == plain
        assert await read(encoding, body, size + 1) == plain


@pytest.mark.parametrize("encoding", ENCODERS)
@pytest.mark.parametrize(
    ("limit", "room", "error"),
    [(2**20, 2**30, TooLarge), (2**26, 2**20, Full), (2**24, 2**23, Full)],
)
async def test_a_bomb_is_held_no_further_than_it_may_be(
    encoding: str, limit: int, room: int, error: type[ServiceError]
) -> None:
    bomb = ENCODERS[encoding](bytes(2**26))
    tracemalloc.start()
    try:
        with pytest.raises(error):
            await read(encoding, bomb, limit, room)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1.3 * min(limit, room) + len(bomb) + 2**20


@pytest.mark.parametrize("encoding", ENCODERS)
async def test_what_is_no_whole_stream_is_refused(encoding: str) -> None:
    whole = ENCODERS[encoding](NOISE)
    for body in (whole[:-1], whole * 2, whole + b"x", b"x" + whole, whole[:9], b"", NOISE):
        with pytest.raises(BadMessage):
            await read(encoding, body, 2**24)
