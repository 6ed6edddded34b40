"""Frames of a websocket that are plain: a message each, whole and alone."""

from __future__ import annotations

from websockets.frames import Opcode

try:  # as the library itself has it
    from websockets.speedups import apply_mask
except ImportError:
    from websockets.utils import apply_mask

FINAL = 0x80
MASKED = 0x80
SHORT, LONG = 126, 2**16
"""Sizes from which on the length takes two bytes more, or eight."""
_TEXT, _BINARY = FINAL | Opcode.TEXT, FINAL | Opcode.BINARY


def plain_message(data: bytes, largest: int) -> str | bytes | None:
    """The message of a client's frame, where the data is one whole frame and nothing else, not
    compressed, of at most so many bytes; text as `str`. None where it is anything else."""
    if len(data) < 6 or data[0] not in (_TEXT, _BINARY):
        return None
    size, start = data[1] - MASKED, 6
    if size == SHORT and len(data) > 8:
        size, start = int.from_bytes(data[2:4], "big"), 8
    elif size > SHORT:
        return None
    if len(data) != start + size or size > largest:
        return None
    message = apply_mask(data[start:], data[start - 4 : start])
    if data[0] == _BINARY:
        return message
    try:
        return message.decode()
    except UnicodeDecodeError:
        return None


def text_frame(text: bytes) -> bytes:
    """The server's frame with this text, UTF-8."""
    size = len(text)
    if size < SHORT:
        return bytes((_TEXT, size)) + text
    if size < LONG:
        return bytes((_TEXT, SHORT)) + size.to_bytes(2, "big") + text
    return bytes((_TEXT, SHORT + 1)) + size.to_bytes(8, "big") + text
