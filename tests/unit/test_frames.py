"""Plain frames, against the library that reads and writes all others."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode

from larnn_service.api.frames import plain_message, text_frame

LARGEST = 2**14


def sent(opcode: Opcode, data: bytes, **flags: bool) -> bytes:
    return Frame(opcode, data, **flags).serialize(mask=True)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 1000, LARGEST])
def test_a_whole_frame_is_a_message(size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    assert plain_message(sent(Opcode.BINARY, data), LARGEST) == data
    text = "é" * (size // 2)
    assert plain_message(sent(Opcode.TEXT, text.encode()), LARGEST) == text


NOT_PLAIN = {
    "cut": sent(Opcode.BINARY, bytes(10))[:-1],
    "followed by a byte": sent(Opcode.BINARY, bytes(10)) + b"\x00",
    "two": sent(Opcode.BINARY, bytes(10)) * 2,
    "not final": sent(Opcode.BINARY, bytes(10), fin=False),
    "compressed": b"\xc2\x80\x00\x00\x00\x00",
    "continuation": sent(Opcode.CONT, bytes(10)),
    "ping": sent(Opcode.PING, bytes(10)),
    "close": sent(Opcode.CLOSE, b"\x03\xe8"),
    "no UTF-8": sent(Opcode.TEXT, b"\xff"),
    "too long": sent(Opcode.BINARY, bytes(LARGEST + 1)),
    "far too long": sent(Opcode.BINARY, bytes(2**16)),
    "not masked": Frame(Opcode.TEXT, b"not masked").serialize(mask=False),
    "long, not masked": Frame(Opcode.TEXT, bytes(300)).serialize(mask=False),
    "empty": b"",
    "one byte": b"\x82",
    **{f"cut at {size}": sent(Opcode.BINARY, bytes(200))[:size] for size in range(12)},
}


@pytest.mark.parametrize("name", NOT_PLAIN)
def test_all_else_is_not_plain(name: str) -> None:
    assert plain_message(NOT_PLAIN[name], LARGEST) is None


@pytest.mark.parametrize("size", [0, 125, 126, 2**16 - 1, 2**16])
def test_answers_are_framed_as_the_library_does(size: int) -> None:
    text = b"a" * size
    assert text_frame(text) == Frame(Opcode.TEXT, text).serialize(mask=False)
