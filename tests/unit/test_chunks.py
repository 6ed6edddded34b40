"""Frames read by the native library: what it takes is what the long way makes of it."""

from __future__ import annotations

import json
import os
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode

from larnn_service.backend.chunks import ChunkReader, can_read_chunks
from larnn_service.endpoints.stream_inference import Wish
from larnn_service.engine.streams.checkpoint import beginning
from larnn_service.engine.streams.stream import Stream
from larnn_service.wire.stream_decoder import Asked, Reader
from tests.unit.replicas import MODEL

if not can_read_chunks():
    reason = "larnn-kernels is not installed, or is older than its reader of frames"
    if os.environ.get("LARNN_KERNELS") == "required":
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)

LARGEST = 1_000
STREAM = Stream(MODEL, beginning("s", MODEL))
READERS = {binary: Reader(binary, Wish(), max_chunk_steps=4) for binary in (False, True)}
CHUNK = b'{"type": "chunk", "offset": 7, "steps": [[1, -2.5], [3e2, 0.125]], "logits": true}'
STEPS = [[1.0, -2.5], [300.0, 0.125]]


def text(message: bytes, **flags: Any) -> bytes:
    return Frame(Opcode.TEXT, message, **flags).serialize(mask=True)


def binary(offset: int, steps: Any) -> bytes:
    return struct.pack("<Q", offset) + np.array(steps, "<f4").tobytes()


def read(frames: list[bytes], binary: bool = False) -> list[Asked | None]:
    values, texts, found = ChunkReader(LARGEST).read(frames)
    return [READERS[binary].plain(each, values, texts, STREAM) for each in found]


def assert_same(asked: Asked, message: str | bytes, binary: bool) -> None:
    """As the long way reads it."""
    other = READERS[binary].read(message, STREAM)
    assert other is not None
    np.testing.assert_array_equal(asked.chunk.steps, other.chunk.steps)
    assert asked.chunk.steps.dtype == np.float32
    assert asked.chunk[::2] == other.chunk[::2]
    assert asked[1:] == other[1:]


def test_chunks_of_a_turn_are_read_each_by_itself() -> None:
    good, bad = text(CHUNK), text(b'{"type": "end"}')
    frames = [good, bad, text(CHUNK.replace(b"7", b"70")), bad, good]
    first, second, third, fourth, fifth = read(frames)
    assert first is not None and third is not None and fifth is not None
    assert (second, fourth) == (None, None)
    assert [first.chunk.offset, third.chunk.offset, fifth.chunk.offset] == [7, 70, 7]
    for each in (first, third, fifth):
        assert (each.wish.logits, each.chunk.acked) == (True, None)
        assert each.chunk.steps.tolist() == STEPS


@pytest.mark.parametrize("offset", [0, 7, 2**63 - 1])
def test_binary_chunks_are_read(offset: int) -> None:
    message = binary(offset, STEPS)
    [asked] = read([Frame(Opcode.BINARY, message).serialize(mask=True)], binary=True)
    assert asked is not None
    assert_same(asked, message, binary=True)


@pytest.mark.parametrize(
    "message",
    [
        b'{"type": "end"}',
        b'{"type": "end", "steps": [[1, 2]]}',
        b'{"type": "chunk", "steps": [[1, 2]]}',
        b'{"type": "chunk", "offset": 0, "steps": []}',
        b'{"type": "chunk", "offset": 0, "steps": [[]]}',
        b'{"type": "chunk", "offset": 0, "steps": [[1]]}',
        b'{"type": "chunk", "offset": 0, "steps": [[1, 2, 3]]}',
        b'{"type": "chunk", "offset": 0, "steps": [[1, 2], [2]]}',
        b'{"type": "chunk", "offset": 0, "steps": [[1, 1e39]]}',
        b'{"type": "chunk", "offset": 0, "steps": [[1, 2]], "text": "a"}',
        b'{"type": "chunk", "offset": 0, "steps": [[1, 2]], "steps": [[2, 2]]}',
        b'{"type": "chunk", "offset": 0, "steps": [[1, 2]], "st\\u0065ps": [[2, 2]]}',
        b'{"type": "chunk", "offset": -1, "steps": [[1, 2]]}',
        b'{"type": "chunk", "offset": 0, "steps": [[1, 2]]',
        b'{"type": "chunk", "offset": 0, "steps"',
        b'{"type": "chunk", "offset": 0, "steps": [[1, 2]], "\xff": 1}',
        b'{"type": "chunk", "offset": 0, "steps": [[1,2],[1,2],[1,2],[1,2],[1,2]]}',
        CHUNK + b",",
        CHUNK + b" " * LARGEST,
    ],
)
def test_no_other_text_is(message: bytes) -> None:
    assert read([text(message)]) == [None]


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"short",
        binary(0, [])[:8],
        binary(0, [[1, 2]])[:-1],
        binary(0, [[1]]),
        binary(0, [[1, np.nan]]),
        binary(0, [[np.inf, 1]]),
        binary(0, [[1, 2]] * 5),
        binary(2**63, [[1, 2]]),
    ],
)
def test_no_other_binary_message_is(message: bytes) -> None:
    assert read([Frame(Opcode.BINARY, message).serialize(mask=True)], binary=True) == [None]


def test_text_is_none_of_a_binary_stream_and_the_other_way_round() -> None:
    assert read([text(CHUNK)], binary=True) == [None]
    assert read([Frame(Opcode.BINARY, binary(7, STEPS)).serialize(mask=True)]) == [None]


@pytest.mark.parametrize(
    "frame",
    [
        text(CHUNK)[:-1],
        text(CHUNK) + b"\x00",
        text(CHUNK) * 2,
        text(CHUNK, fin=False),
        b"\xc1" + text(CHUNK)[1:],  # compressed
        Frame(Opcode.CONT, CHUNK).serialize(mask=True),
        Frame(Opcode.PING, CHUNK[:100]).serialize(mask=True),
        Frame(Opcode.TEXT, CHUNK).serialize(mask=False),
        b"",
        b"\x81",
        b"\x81\xfe\x00",
        b"\x81\xff" + bytes(12),
    ],
    ids=range(12),
)
def test_no_other_frame_is(frame: bytes) -> None:
    assert read([frame, text(CHUNK)])[0] is None


numbers = st.floats(width=32, allow_nan=False, allow_infinity=False, allow_subnormal=False)


@given(
    st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=1, max_size=4),
    st.integers(0, 2**62),
    st.fixed_dictionaries(
        {},
        optional={
            "acked": st.integers(0, 9),
            "logits": st.booleans(),
            "emit": st.sampled_from(["last", "every", 3]),
        },
    ),
)
def test_each_chunk_is_what_the_long_way_makes_of_it(
    steps: list[list[float]], offset: int, more: dict[str, Any]
) -> None:
    message = json.dumps({"type": "chunk", "offset": offset, "steps": steps, **more})
    [asked] = read([text(message.encode())])
    assert asked is not None
    assert_same(asked, message, binary=False)


@given(st.data())
def test_a_damaged_chunk_is_taken_only_where_it_is_still_right(data: st.DataObject) -> None:
    message = bytearray(CHUNK)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(message) - 1))
        message[place] = data.draw(st.sampled_from(b'[]{},:.-"0 9'))
    [asked] = read([text(bytes(message))])
    if asked is not None:
        assert_same(asked, message.decode(), binary=False)
