"""Numbers in pieces: those of the text, of which no more is looked at than can be right."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from larnn_service.errors import BadShape, ServiceError
from larnn_service.wire import json_pieces
from larnn_service.wire.json_pieces import NUMBER, PIECE, SequenceReader

MEBIBYTE = 2**20


class Counted:
    """A text that counts what is read of it."""

    def __init__(self, text: bytes) -> None:
        self._text, self.read = text, 0

    def __len__(self) -> int:
        return len(self._text)

    def __getitem__(self, part: slice) -> bytes:
        found = self._text[part]
        self.read += len(found)
        return found


def anything(steps: list[int]) -> None:
    """Every number of steps is right."""


def read(
    text: Counted | bytes,
    width: int = 2,
    nested: bool = True,
    check: Callable[[list[int]], None] = anything,
) -> list[Any]:
    reader = SequenceReader("it", width, "toy", nested)
    return reader.read(cast(memoryview, text), check, 1000, 10**6)


@pytest.mark.parametrize(
    ("before", "place"),
    [
        (b"[[[", "it[0][0]"),
        (b"[[[1,2],[", "it[0][1]"),
        (b"[[[1,2]], [[1,2],[3,4]], [[5,6],\n[", "it[2][1]"),
        (b"[[[1,2]], [", "it[1][0]"),
        (b"[[" + b"[1,2]," * 10_000 + b"[", "it[0][10000]"),
    ],
)
@pytest.mark.parametrize(
    "row",
    [b"0," * MEBIBYTE, b"1" * MEBIBYTE, b"1 " * MEBIBYTE],
    ids=["numbers", "digits", "digits and spaces"],
)
def test_a_row_without_an_end_is_not_read(before: bytes, place: str, row: bytes) -> None:
    text = Counted(before + row + b"0]]]")
    with pytest.raises(BadShape, match=r"; toy takes 2$") as told:
        read(text)
    assert str(told.value).startswith(f"{place} has ")
    assert text.read < 2 * len(before) + 5 * PIECE


@pytest.mark.parametrize("width", [1, 2])
def test_space_may_stand_anywhere_and_is_not_decoded(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    decoder, sizes = json_pieces._DECODER, list[int]()

    class Sized:
        def decode(self, piece: bytes) -> Any:
            sizes.append(len(piece))
            return decoder.decode(piece)

    monkeypatch.setattr(json_pieces, "_DECODER", Sized())
    space = b" \t\r\n" * (3 * PIECE)
    row = b"[%s1%s]" % (space, (space + b"," + space + b"2") * (width - 1))
    text = space.join([b"[", b"[", row, b",", row, b"]", b",", b"[", row, b"]", b"]"])
    first, second = read(text, width)
    assert (first.shape, second.shape) == ((2, width), (1, width))
    assert max(sizes) < 2 * PIECE


def test_of_one_sequence_too() -> None:
    text = Counted(b"[[1,2],[" + b"0," * MEBIBYTE + b"0]]")
    with pytest.raises(BadShape, match=r"^it\[1\] has more than 2 numbers; toy takes 2$"):
        read(text, nested=False)
    assert text.read < 5 * PIECE


def test_a_wide_row_is_read_whole_and_a_wider_one_is_not() -> None:
    width = 3 * PIECE
    row = np.arange(width).tolist()
    for indent in (None, 4):
        text = json.dumps([[row, row], [row]], indent=indent).encode()
        first, second = read(text, width)
        np.testing.assert_array_equal(first, [row, row])
        np.testing.assert_array_equal(second, [row])
    text_read = Counted(b"[[[" + b"0," * (16 * width) + b"0]]]")
    with pytest.raises(BadShape, match=f"has more than {width} numbers"):
        read(text_read, width)
    assert text_read.read < 2 * width + NUMBER * width


@st.composite
def texts(draw: st.DrawFn) -> tuple[int, list[Any], bytes]:
    """A width, sequences of rows so wide, and their JSON."""
    width = draw(st.integers(1, 5))
    number = st.integers(-999, 999) | st.floats(-1e6, 1e6, width=32)
    row = st.lists(number, min_size=width, max_size=width)
    nested = draw(st.lists(st.lists(row, min_size=1, max_size=6), min_size=1, max_size=6))
    return width, nested, json.dumps(nested, indent=draw(st.sampled_from([None, 0, 2]))).encode()


@given(given=texts(), size=st.integers(1, 80))
def test_pieces_of_any_size_give_the_numbers_of_the_text(
    given: tuple[int, list[Any], bytes], size: int
) -> None:
    width, nested, text = given
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_pieces, "PIECE", size)
        found = read(text, width)
    assert [steps.tolist() for steps in found] == [
        np.array(sequence, np.float32).tolist() for sequence in nested
    ]


@given(given=texts(), size=st.integers(1, 80), data=st.data())
def test_what_is_wrong_is_told_in_pieces_of_any_size(
    given: tuple[int, list[Any], bytes], size: int, data: st.DataObject
) -> None:
    width, nested, text = given
    sequence = data.draw(st.integers(0, len(nested) - 1))
    step = data.draw(st.integers(0, len(nested[sequence]) - 1))
    nested[sequence][step] = nested[sequence][step] + data.draw(
        st.lists(st.just(0), min_size=1, max_size=200)
    )
    text = json.dumps(nested).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_pieces, "PIECE", size)
        with pytest.raises(ServiceError) as told:
            read(text, width)
    assert str(told.value).startswith(f"it[{sequence}][{step}] has ")
