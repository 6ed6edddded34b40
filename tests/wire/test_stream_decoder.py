"""Messages of a stream's client: what each asks for, or what is wrong with it."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larnn_service.errors import (
    BadJson,
    BadMessage,
    BadShape,
    BadValue,
    EmptyChunk,
    ServiceError,
    TooLarge,
)
from larnn_service.wire.answer_options import AnswerOptions
from larnn_service.wire.stream_decoder import ChunkRequest, StreamDecoder
from tests.engine.replicas import MODEL

MOST = 4
OPTIONS = AnswerOptions(emit="every")
"""Those of the address."""
JSON, BINARY = (StreamDecoder(name, OPTIONS, MOST) for name in (None, "larnn.f32.v1"))
CHUNK = b'{"type": "chunk", "offset": 7, "steps": [[1, -2.5], [3e2, 0.125]]}'
STEPS = [[1.0, -2.5], [300.0, 0.125]]
numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)


def chunk(message: bytes) -> ChunkRequest:
    asked = JSON.decode(message, True, MODEL)
    assert asked is not None
    return asked


def frame(offset: int, steps: Any) -> bytes:
    return struct.pack("<Q", offset) + np.array(steps, "<f4").tobytes()


def test_a_chunk_has_its_steps_and_the_options_of_the_address() -> None:
    asked = chunk(CHUNK)
    assert (asked.offset, asked.acked, asked.traceparent) == (7, None, None)
    assert asked.steps.dtype == np.float32 and asked.steps.tolist() == STEPS
    assert asked.options is OPTIONS


def test_a_chunk_may_change_the_options_for_itself() -> None:
    more = b'"acked": 5, "logits": true, "emit": 3, "explain": true, "traceparent": "00-1"'
    asked = chunk(CHUNK[:-1] + b", " + more + b"}")
    assert asked.options == AnswerOptions(logits=True, emit=3, explain=True)
    assert (asked.acked, asked.traceparent) == (5, "00-1")
    assert chunk(CHUNK).options is OPTIONS


@given(
    st.lists(st.lists(numbers, min_size=2, max_size=2), min_size=1, max_size=MOST),
    st.integers(0, 2**62),
)
def test_text_and_binary_frames_say_the_same(steps: list[list[float]], offset: int) -> None:
    message = json.dumps({"type": "chunk", "offset": offset, "steps": steps}).encode()
    text, binary = chunk(message), BINARY.decode(frame(offset, steps), False, MODEL)
    assert binary is not None
    assert (text.offset, text.options) == (binary.offset, binary.options)
    assert text.steps.dtype == binary.steps.dtype == np.float32
    np.testing.assert_array_equal(text.steps, binary.steps)


@pytest.mark.parametrize("offset", [0, 7, 2**63 - 1])
def test_a_binary_frame_has_any_offset(offset: int) -> None:
    asked = BINARY.decode(frame(offset, STEPS), False, MODEL)
    assert asked is not None
    assert (asked.offset, asked.steps.tolist()) == (offset, STEPS)


@pytest.mark.parametrize("decoder", [JSON, BINARY], ids=["json", "binary"])
def test_the_end_is_text_under_either_subprotocol(decoder: StreamDecoder) -> None:
    assert decoder.decode(b'{"type": "end"}', True, MODEL) is None


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (CHUNK + b",", BadJson, "not valid JSON"),
        (CHUNK[:-1], BadJson, "not valid JSON"),
        (CHUNK[:-1] + b', "\xff": 1}', BadJson, "JSON"),
        (b'{"type": "end", "steps": [[1, 2]]}', BadMessage, "steps"),
        (b'{"type": "chunk", "steps": [[1, 2]]}', BadMessage, "offset"),
        (b'{"type": "chunk", "offset": -1, "steps": [[1, 2]]}', BadMessage, "offset"),
        (b'{"type": "chunk", "offset": 0}', BadMessage, "either steps or text"),
        (b'{"type": "chunk", "offset": 0, "text": "a"}', BadMessage, "takes numbers"),
        (CHUNK[:-1] + b', "text": "a"}', BadMessage, "either steps or text"),
        (CHUNK[:-1] + b', "unknown": 1}', BadMessage, "unknown"),
        (b'{"type": "open"}', BadMessage, "type"),
        (b'{"type": "chunk", "offset": 0, "steps": []}', EmptyChunk, "at least one step"),
        (b'{"type": "chunk", "offset": 0, "steps": [[]]}', BadShape, r"steps\[0\] has 0 numbers"),
        (b'{"type": "chunk", "offset": 0, "steps": [[1]]}', BadShape, r"steps\[0\] has 1 number"),
        (b'{"type": "chunk", "offset": 0, "steps": [[1, 2], [3]]}', BadShape, r"steps\[1\]"),
        (b'{"type": "chunk", "offset": 0, "steps": [1, 2]}', BadShape, r"steps\[0\]"),
        (b'{"type": "chunk", "offset": 0, "steps": [[1, "2"]]}', BadValue, r"steps\[0\]\[1\]"),
        (b'{"type": "chunk", "offset": 0, "steps": [[1, 1e39]]}', BadValue, r"steps\[0\]\[1\]"),
        (b'{"type": "chunk", "offset": 0, "steps": [[NaN, 1]]}', BadValue, r"steps\[0\]\[0\]"),
        (
            b'{"type": "chunk", "offset": 0, "steps": [[1,2],[1,2],[1,2],[1,2],[1,2]]}',
            TooLarge,
            "4",
        ),
    ],
    ids=range(20),
)
def test_what_is_wrong_with_a_text_is_said(
    message: bytes, error: type[ServiceError], text: str
) -> None:
    with pytest.raises(error, match=text):
        JSON.decode(message, True, MODEL)


@pytest.mark.parametrize(
    ("message", "error", "text"),
    [
        (b"", BadMessage, "a frame of 0 bytes"),
        (b"short", BadMessage, "a frame of 5 bytes"),
        (frame(0, STEPS)[:-1], BadMessage, "a frame of 23 bytes"),
        (frame(0, [[1]]), BadMessage, "a frame of 12 bytes"),
        (frame(0, []), EmptyChunk, "at least one step"),
        (frame(0, [[1, np.nan]]), BadValue, r"steps\[0\]\[1\]"),
        (frame(0, [[1, 2], [np.inf, 1]]), BadValue, r"steps\[1\]\[0\]"),
        (frame(0, [[1, 2]] * 5), TooLarge, "4"),
    ],
    ids=range(8),
)
def test_what_is_wrong_with_a_binary_frame_is_said(
    message: bytes, error: type[ServiceError], text: str
) -> None:
    with pytest.raises(error, match=text):
        BINARY.decode(message, False, MODEL)


def test_a_chunk_comes_in_the_form_that_the_subprotocol_says() -> None:
    with pytest.raises(BadMessage, match="need the subprotocol"):
        JSON.decode(frame(7, STEPS), False, MODEL)
    with pytest.raises(BadMessage, match="a chunk is a binary frame"):
        BINARY.decode(CHUNK, True, MODEL)


@given(st.data())
def test_damaged_text_is_an_error_of_the_service_or_a_chunk(data: st.DataObject) -> None:
    message = bytearray(CHUNK)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(message) - 1))
        message[place] = data.draw(st.sampled_from(b'[]{},:.-"0 9'))
    try:
        asked = JSON.decode(bytes(message), True, MODEL)
    except ServiceError as error:
        assert error.detail
    else:
        assert asked is not None and np.isfinite(asked.steps).all()
        nested = json.loads(message)["steps"]
        np.testing.assert_array_equal(asked.steps, np.array(nested, dtype=np.float32))
