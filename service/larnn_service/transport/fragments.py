"""Frames of a websocket put together to messages."""

from __future__ import annotations

from websockets.frames import Frame, Opcode

COST = 64
"""Bytes that a frame counts beside its own: a message may not be of a million empty ones."""


class Fragments:
    """The frames of the message that is on its way."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes that have come of it, and what its frames cost."""
        self._whole = bytearray()
        self._is_text = False

    def add(self, frame: Frame) -> tuple[bytes, bool] | None:
        """The message and whether it is text, where this frame is its last.

        Control frames belong to no message. Raises UnicodeDecodeError where a text is not UTF-8.
        """
        opcode, whole = frame.opcode, bytes(frame.data)
        if opcode is Opcode.TEXT or opcode is Opcode.BINARY:
            self._is_text = opcode is Opcode.TEXT
        elif opcode is not Opcode.CONT:
            return None
        if self.size or not frame.fin:
            self._whole += whole
            self.size += len(whole) + COST
            if not frame.fin:
                return None
            whole = bytes(self._whole)
            self.clear()
        if self._is_text and not whole.isascii():
            whole.decode()
        return whole, self._is_text

    def clear(self) -> None:
        """Forget what has come."""
        self._whole, self.size = bytearray(), 0
