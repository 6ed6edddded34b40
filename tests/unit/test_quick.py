"""The quick way to read a body: what it takes is what the typed decoder makes of it."""

from __future__ import annotations

import json
import math
import os
import warnings

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larnn_service.api.quick import Plain, plain_body
from larnn_service.wire.json_numbers import read_sequences
from larnn_service.wire.openapi import ClassifyBody

DECODER = msgspec.json.Decoder(ClassifyBody)
MOST = 3
GOOD = b'{"sequences": [[[1, -2.5], [3e2, 0.1257302165031433]], [[4, 5]]]}'

if read_sequences(GOOD, GOOD.index(b"["), MOST) is None:
    reason = "larnn-kernels is not installed, or is older than its reader of numbers"
    if os.environ.get("LARNN_KERNELS") == "required":
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


def plain(body: bytes) -> Plain | None:
    return plain_body(body, DECODER, MOST)


def assert_same(read: Plain, body: bytes) -> None:
    """As the typed decoder and numpy have it."""
    typed = DECODER.decode(body)
    assert isinstance(typed.sequences, list)
    assert len(read.sequences) == len(typed.sequences)
    for own, nested in zip(read.sequences, typed.sequences, strict=True):
        assert own.dtype == np.float32
        np.testing.assert_array_equal(own, np.array(nested, dtype=np.float32))
    read.rest.sequences = typed.sequences
    assert read.rest == typed


@pytest.mark.parametrize(
    "body",
    [
        GOOD,
        b'{"sequences":[[[1]]],"model":"m","version":2,"logits":true}',
        b' {"logits": true, "sequences" :\n[ [ [ -0 ,1E+2]\t,[0.5e-3, 0 ] ] ] }\r\n',
        b'{"sequences": [[[123456789012345678901234567890, 1.7976931348623157e-300]]]}',
    ],
)
def test_a_plain_body_is_taken(body: bytes) -> None:
    read = plain(body)
    assert read is not None
    assert_same(read, body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"[[[1]]]",
        b"{}",
        b'{"texts": ["a"]}',
        b'{"sequences": [[[1]]], "texts": ["a"]}',
        b'{"sequences": []}',
        b'{"sequences": [[]]}',
        b'{"sequences": [[[]]]}',
        b'{"sequences": [[[1, 2], [3]]]}',
        b'{"sequences": [[[1, 2]], [[3]]]}',
        b'{"sequences": [[[1, [2]]]]}',
        b'{"sequences": [[{"a": 1}]]}',
        b'{"sequences": [[["1"]]]}',
        b'{"sequences": [[[null]]]}',
        b'{"sequences": [[[true]]]}',
        b'{"sequences": [[[NaN]]]}',
        b'{"sequences": [[[-Infinity]]]}',
        b'{"sequences": [[[inf]]]}',
        b'{"sequences": [[[1e39]]]}',
        b'{"sequences": [[[1e400]]]}',
        b'{"sequences": [[[01]]]}',
        b'{"sequences": [[[1.]]]}',
        b'{"sequences": [[[1.e5]]]}',
        b'{"sequences": [[[.5]]]}',
        b'{"sequences": [[[+1]]]}',
        b'{"sequences": [[[-]]]}',
        b'{"sequences": [[[1e]]]}',
        b'{"sequences": [[[0x1]]]}',
        b'{"sequences": [[[1,]]]}',
        b'{"sequences": [[[1]],]}',
        b'{"sequences": [[[1]]',
        b'{"sequences": [[[1]]]',
        b'{"sequences": [[[1]]]}}',
        b'{"sequences"x: [[[1]]]}',
        b'{"sequences",: [[[1]]]}',
        b'{"model": "sequences", "sequences": [[[1]]]}',
        b'{"sequences": [[[1]]], "unknown": 1}',
        b'{"sequences": [[[1]]], "version": 0}',
        b'{"sequences": [[[1]]], "model": "\xff"}',
        b'{"sequences": [[[1]]], "sequences": [[[2]]]}',
        b'{"sequences": [[[1]]], "\\u0073equences": []}',
        b'{"model": {"sequences": [[[1]]]}}',
        b'{"sequences": [[[1]], [[1]], [[1]], [[1]]]}',
    ],
)
def test_whatever_else_is_left_to_the_typed_decoder(body: bytes) -> None:
    assert plain(body) is None


numbers = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.floats(-1e38, 1e38),
    st.integers(-(2**70), 2**70),
)


@st.composite
def sequences(draw: st.DrawFn) -> list[list[list[float]]]:
    width = draw(st.integers(1, 4))
    step = st.lists(numbers, min_size=width, max_size=width)
    return draw(st.lists(st.lists(step, min_size=1, max_size=5), min_size=1, max_size=MOST))


@given(sequences())
def test_each_number_is_rounded_as_ever(values: list[list[list[float]]]) -> None:
    body = json.dumps({"sequences": values, "logits": True}).encode()
    if (read := plain(body)) is not None:
        assert_same(read, body)
    else:  # what is too small for double precision
        assert any(0 < abs(x) < 3e-308 for rows in values for row in rows for x in row)


@given(st.floats(2.0**-90, 2.0**90, width=32), st.integers(-6, 6), st.booleans())
def test_a_number_between_two_floats_is_rounded_as_ever(
    below: float, units: int, exponent: bool
) -> None:
    """Where a double that is off by one makes another float."""
    middle = (below + float(np.nextafter(np.float32(below), np.float32(np.inf)))) / 2
    for _ in range(abs(units)):
        middle = math.nextafter(middle, math.copysign(math.inf, units))
    text = repr(middle) if exponent else np.format_float_positional(middle, trim="-")
    read = plain(b'{"sequences": [[[%s, -%s]]]}' % (text.encode(), text.encode()))
    assert read is not None
    expected = np.array([[middle, -middle]], dtype=np.float32)
    np.testing.assert_array_equal(read.sequences[0], expected)


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-0",
        "0.0",
        "10",
        "1234567890123456789",
        "12345678901234567890",
        "0.00000000000000000001",
    ]
    + [
        "9007199254740993",
        "0.1e-2",
        "16777217.000000001",
        "1e-30",
        "340282346638528859811704183484",
    ],
)
def test_numbers_of_any_length_are_rounded_as_ever(text: str) -> None:
    read = plain(b'{"sequences": [[[%s]]]}' % text.encode())
    assert read is not None
    [[value]] = read.sequences[0].tolist()
    assert (value, math.copysign(1, value)) == (np.float32(text), math.copysign(1, float(text)))


@given(st.data())
def test_damaged_text_is_taken_only_where_it_is_still_right(data: st.DataObject) -> None:
    text = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", b"[", b"]", b",", b".", b"-", b"e", b"0", b"7", b" ", b'"', b"{"])
        )
    if (read := plain(bytes(text))) is not None:
        with warnings.catch_warnings(action="error"):
            assert_same(read, bytes(text))
