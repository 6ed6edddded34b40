"""The native reader of JSON numbers: what it takes is what msgspec and numpy make of the text."""

from __future__ import annotations

import json
import math
import warnings
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larnn_service.wire import json_numbers
from larnn_service.wire.json_numbers import Numbers, read_numbers
from tests import tools

MOST = 3
GOOD = (
    b"[1, -2.5, 3e2, 0.1257302165031433]",
    b"[[1, -2.5], [3e2, 0.1257302165031433]]",
    b"[[[1, -2.5], [3e2, 0.1257302165031433]], [[4, 5]]]",
)

if read_numbers(GOOD[0], MOST) is None:
    tools.missing("larnn-kernels is not installed, or older than its reader of numbers", "KERNELS")

numbers = st.one_of(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.floats(-1e38, 1e38),
    st.integers(-(2**70), 2**70),
)


@st.composite
def arrays(draw: st.DrawFn) -> list[Any]:
    """Numbers nested one, two or three deep, in rows of one width."""
    width = draw(st.integers(1, 4))
    row = st.lists(numbers, min_size=width, max_size=width)
    sequence = st.lists(row, min_size=1, max_size=5)
    return draw(row | sequence | st.lists(sequence, min_size=1, max_size=MOST))


def assert_same(read: Numbers, text: bytes) -> None:
    """`read` holds what a strict decoder and numpy make of the text."""
    nested = msgspec.json.decode(text)
    sequences = {1: [[nested]], 2: [nested], 3: nested}[read.depth]
    flat = [number for rows in sequences for row in rows for number in row]
    assert read.values.dtype == np.float32
    np.testing.assert_array_equal(read.values, np.array(flat, dtype=np.float32))
    assert read.rows == [len(rows) for rows in sequences]
    assert {len(row) for rows in sequences for row in rows} == {read.width}


@given(arrays(), st.sampled_from([None, 1]))
def test_each_array_is_read_as_numpy_reads_it(nested: list[Any], indent: int | None) -> None:
    text = json.dumps(nested, indent=indent).encode()
    if (read := read_numbers(text, MOST)) is not None:
        assert_same(read, text)
    else:  # a number that double precision cannot hold in full
        assert any(0 < abs(float(number)) < 3e-308 for number in flattened(nested))


def flattened(nested: Any) -> list[float]:
    if isinstance(nested, list):
        return [number for part in nested for number in flattened(part)]
    return [nested]


@pytest.mark.parametrize(
    ("text", "depth", "width", "rows"),
    [
        (GOOD[0], 1, 4, [1]),
        (GOOD[1], 2, 2, [2]),
        (GOOD[2], 3, 2, [2, 1]),
        (b"[1]", 1, 1, [1]),
        (b"[[1],[2],[3],[4],[5]]", 2, 1, [5]),
        (b" [\n[ \t[ -0 ,1E+2 ]\r\n, [0.5e-3,0]\t]\n]\r\n ", 3, 2, [2]),
        (b"[123456789012345678901234567890, 1.7976931348623157e-300]", 1, 2, [1]),
    ],
)
def test_depth_width_and_rows_are_told(
    text: bytes, depth: int, width: int, rows: list[int]
) -> None:
    for given_text in (text, bytearray(text), memoryview(text), msgspec.Raw(text)):
        read = read_numbers(given_text, MOST)
        assert read is not None
        assert read[1:] == (depth, width, rows)
        assert_same(read, text)


def test_the_values_have_memory_of_their_own_and_no_more_than_they_need() -> None:
    read = read_numbers(b"[1" + b" " * 1000 + b"]", MOST)
    assert read is not None
    assert read.values.base is None
    assert read.values.nbytes == 4


SCALARS = "|1|null|true|{}|NaN|[1]]|[[1]|[[[1]]|[|[[|]|,"
EMPTY = "[]|[[]]|[[[]]]|[[],[1]]|[[1],[]]|[[[1]],[]]|[[[1],[]]]"
UNEVEN = "[[1,2],[3]]|[[[1,2]],[[3]]]|[1,[2]]|[[1],2]|[[[1]],[2]]|[[[1]],2]|[[[[1]]]]"
NUMBERS = (
    "NaN|-Infinity|inf|nan|1e39|-1e39|1e999|01|-01|00|1.|1.e5|.5|-.5|+1|-|--1|1e|1e+|0x1|1_0|1 2"
)
OTHERS = '"1"|null|true|{}|{"a":1}|x|1,|,1|1,,1|1;2|\x00|1\x00|1\v|\ufeff1|1/**/'


@pytest.mark.parametrize(
    "text",
    SCALARS.split("|")
    + EMPTY.split("|")
    + UNEVEN.split("|")
    + [f"[{text}]" for text in NUMBERS.split("|") + OTHERS.split("|")]
    + [f"[[[1, {text}]]]" for text in NUMBERS.split("|") + OTHERS.split("|")]
    + ["[1]x", "[1],", "[1][1]", "[1]\x00", "x[1]", "\ufeff[1]", "[1]\v"]
    + ["[[[1]],[[1]],[[1]],[[1]]]"],
)
def test_any_other_text_is_left_to_another_decoder(text: str) -> None:
    assert read_numbers(text.encode(), MOST) is None


@pytest.mark.parametrize("text", GOOD)
def test_a_truncated_text_is_refused(text: bytes) -> None:
    for end in range(len(text)):
        assert read_numbers(text[:end], MOST) is None


def test_the_number_of_sequences_is_bounded_at_depth_three_alone() -> None:
    assert read_numbers(GOOD[2], 2) is not None
    assert read_numbers(GOOD[2], 1) is None
    assert read_numbers(GOOD[1], 1) is not None


@given(st.data())
def test_a_damaged_text_is_taken_only_where_it_is_still_right(data: st.DataObject) -> None:
    text = bytearray(data.draw(st.sampled_from(GOOD)))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(text) - 1))
        text[place : place + data.draw(st.integers(0, 2))] = data.draw(
            st.sampled_from([b"", b"[", b"]", b",", b".", b"-", b"e", b"0", b"7", b" ", b'"', b"{"])
        )
    if (read := read_numbers(text, MOST)) is not None:
        with warnings.catch_warnings(action="error"):
            assert_same(read, bytes(text))


def read_one(text: str) -> float:
    read = read_numbers(f"[{text}]".encode(), MOST)
    assert read is not None
    [value] = read.values.tolist()
    return float(value)


@given(st.floats(2.0**-90, 2.0**90, width=32), st.integers(-6, 6), st.booleans())
def test_a_number_next_to_the_midpoint_of_two_floats_is_rounded_as_numpy_does(
    below: float, units: int, exponent: bool
) -> None:
    """A double that is off by one unit in the last place makes another float there."""
    middle = (below + float(np.nextafter(np.float32(below), np.float32(np.inf)))) / 2
    for _ in range(abs(units)):
        middle = math.nextafter(middle, math.copysign(math.inf, units))
    text = repr(middle) if exponent else np.format_float_positional(middle, trim="-")
    assert read_one(text) == np.float32(middle)
    assert read_one(f"-{text}") == -np.float32(middle)


LONG = "1234567890123456789|12345678901234567890|0.00000000000000000001|9007199254740993"
NEAR = "0.1e-2|16777217.000000001|1e-30|1e-46|340282346638528859811704183484"


@pytest.mark.parametrize("text", ["0", "-0", "0.0", "10", *LONG.split("|"), *NEAR.split("|")])
def test_numbers_of_any_length_are_rounded_as_numpy_does(text: str) -> None:
    value = read_one(text)
    assert (value, math.copysign(1, value)) == (
        float(np.float32(text)),
        math.copysign(1, float(text)),
    )


def test_without_the_library_no_text_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_numbers, "_native_reader", lambda long: None)
    assert read_numbers(GOOD[0], MOST) is None
