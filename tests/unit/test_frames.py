"""Plain frames, against the library that reads and writes all others."""

from __future__ import annotations

import pytest
from websockets.frames import Frame, Opcode

from service.api.frames import plain_message, text_frame

LARGEST = 2**14


def sent(opcode: Opcode, data: bytes, **flags: bool) -> bytes:
    return Frame(opcode, data, **flags).serialize(mask=True)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 1000, LARGEST])
def test_a_whole_frame_is_a_message(size: int) -> None:
    data = bytes(index % 251 for index in range(size))
    assert plain_message(sent(Opcode.BINARY, data), LARGEST) == data
    text = "é" * (size // 2)
    assert plain_message(sent(Opcode.TEXT, text.encode()), LARGEST) == text


@pytest.mark.parametrize(
    "data",
    [
        sent(Opcode.BINARY, bytes(10))[:-1],
        sent(Opcode.BINARY, bytes(10)) + b"\x00",
        sent(Opcode.BINARY, bytes(10)) * 2,
        sent(Opcode.BINARY, bytes(10), fin=False),
        b"\xc2\x80\x00\x00\x00\x00",  # compressed
        sent(Opcode.CONT, bytes(10)),
        sent(Opcode.PING, bytes(10)),
        sent(Opcode.CLOSE, b"\x03\xe8"),
        sent(Opcode.TEXT, b"\xff"),
        sent(Opcode.BINARY, bytes(LARGEST + 1)),
        sent(Opcode.BINARY, bytes(2**16)),
        Frame(Opcode.TEXT, b"not masked").serialize(mask=False),
        Frame(Opcode.TEXT, bytes(300)).serialize(mask=False),
        b"",
        b"\x82",
        *(sent(Opcode.BINARY, bytes(200))[:size] for size in range(12)),
    ],
)
def test_all_else_is_not_plain(data: bytes) -> None:
    assert plain_message(data, LARGEST) is None


@pytest.mark.parametrize("size", [0, 125, 126, 2**16 - 1, 2**16])
def test_answers_are_framed_as_the_library_does(size: int) -> None:
    text = b"a" * size
    assert text_frame(text) == Frame(Opcode.TEXT, text).serialize(mask=False)
