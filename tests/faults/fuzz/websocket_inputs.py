"""Messages and frames of a websocket, one thing in each changed."""

from __future__ import annotations

import struct
from urllib.parse import quote

from larnn_service.wire.subprotocols import form
from tests.faults.attack.attacks import frame
from tests.faults.fuzz import samples
from tests.faults.fuzz.mutate import Mutator

_OPTIONS = (
    *("emit=every", "emit=3", "emit=0", "logits=true", "logits=2", "explain=true", "version=1"),
    *('model=carried&context={"gain":0.5}', 'context={"gain":[]}', "context={"),
    *("version=x", "model=toy", "model=none", "stream=x", "a=b", "emit=" + "9" * 30),
)


def query(mutator: Mutator) -> str:
    """Options of an address, most of them odd."""
    model = quote(mutator.text(), errors="replace")[:9000]
    chosen = [*mutator.random.sample(_OPTIONS, 2), f"model={model}"]
    return "&".join(chosen[: mutator.choice(1, 1, 2, 3)])


def message(mutator: Mutator, protocol: str, position: int) -> tuple[bytes, bool]:
    """A chunk for a stream at this position, or the end; and whether it goes as text."""
    if mutator.chance(0.01):
        return b'{"type": "end"}', True
    samples, acks = form(protocol)
    if samples is not None and mutator.chance(0.9):
        words = [position, max(position - 2, 0)] if acks else [position]
        if mutator.chance(0.2):
            words[mutator.random.randrange(len(words))] = int(abs(mutator.number())) % 2**64
        data = struct.pack(f"<{len(words)}Q4f", *words, 1, 2, 3, 4)
        return (mutator.data(data) if mutator.chance(0.6) else data), mutator.chance(0.02)
    return chunk(mutator, position), mutator.chance(0.97)


def chunk(mutator: Mutator, position: int) -> bytes:
    """A chunk as JSON."""
    part = {"type": "chunk", **samples.CHUNK, "offset": position, "acked": position}
    text = mutator.json(part)
    return text.decode("utf-8", "replace").encode() if mutator.chance(0.95) else text


def framed(mutator: Mutator | None, data: bytes, is_text: bool) -> bytes:
    """The message in one frame, or in several with a ping between them."""
    opcode = 1 if is_text else 2
    if mutator is None or mutator.chance(0.8):
        return frame(data, opcode)
    cuts = sorted(mutator.random.randrange(len(data) + 1) for _ in range(mutator.choice(1, 2, 9)))
    parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    between = mutator.choice(b"", frame(b"ping", 9), frame(b"", 10))
    made = [
        frame(part, opcode if not index else 0, fin=index == len(parts) - 1)
        for index, part in enumerate(parts)
    ]
    return between.join(made)


def bad_frame(mutator: Mutator) -> bytes:
    """Each of a frame's fields may be wrong."""
    opcode = mutator.choice(0, 1, 2, 3, 7, 8, 9, 10, 11, 15)
    payload = mutator.choice(
        b"", b"\x03\xe8", b"\x03", b"\xff\xff", b"\x00\x00", b"x" * 200, b"\xff", b"{}"
    )
    size = len(payload) if mutator.chance(0.6) else int(abs(mutator.number())) % 2**64
    first = bytes([mutator.choice(0x80, 0x80, 0x00, 0xC0, 0xA0, 0x90) | opcode])
    masked = 0x80 if mutator.chance(0.8) else 0
    if mutator.chance(0.5):
        return first + bytes([masked | 127]) + size.to_bytes(8, "big") + bytes(4) + payload
    length = (
        bytes([masked | (size % 126)])
        if size < 126
        else bytes([masked | 126]) + (size % 2**16).to_bytes(2, "big")
    )
    return first + length + bytes(4) + payload
