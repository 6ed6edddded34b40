"""Websockets on a socket: messages changed inside valid frames, and frames changed themselves."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from larnn_service.wire.subprotocols import BINARY
from tests.faults.attack.attacks import frame, handshake
from tests.faults.fuzz import samples
from tests.faults.fuzz.http_wire import Socket
from tests.faults.fuzz.mutate import Mutator
from tests.faults.fuzz.verdicts import CLOSES, Finding, Tally, check_message, check_response, hold

_OPTIONS: tuple[str, ...] = (
    "emit=every",
    "emit=3",
    "emit=0",
    "logits=true",
    "logits=2",
    "explain=true",
    "version=1",
)
_OPTIONS += ("version=x", "model=toy", "model=none", "stream=x", "a=b", "emit=" + "9" * 30)


class WebSocketDoor:
    """One connection that stays while inputs leave it open."""

    def __init__(self, url: str, tally: Tally) -> None:
        self.given: object = None
        """The input that was sent last."""
        self._url, self._tally = url, tally
        self._socket: Socket | None = None
        self._binary = False
        self._position = 0
        self.stream = ""

    def close(self) -> None:
        """End the stream, and the connection."""
        if self._socket is not None:
            self._socket.send(frame(b'{"type": "end"}'))
            self._leave()

    def messages(self, mutator: Mutator) -> None:
        """A few messages ahead of their answers: each is answered once, unless one closes."""
        self._open(mutator)
        made = [self._message(mutator) for _ in range(mutator.choice(1, 1, 1, 2, 5))]
        self.send(made, mutator)

    def send(self, made: list[tuple[bytes, bool]], mutator: Mutator | None = None) -> None:
        """These messages, each with whether it is text, in frames of any cut."""
        if self._socket is None:
            self._open(mutator)
        assert self._socket is not None
        self.given = made
        self._tally.sent["websocket"] += len(made)
        self._socket.send(b"".join([_framed(mutator, *each) for each in made]))
        known = b" ".join([data for data, _ in made])[:200_000].decode("latin-1")
        for _ in made:
            event = next(self._incoming, None)
            hold(event is not None or len(made) > 1 or not made[0][1], "closed without a word")
            if event is None or self._ends(event, known):
                return self._leave()

    def frames(self, mutator: Mutator) -> None:
        """A connection's bytes with a frame that is none; then the end."""
        good = frame(self._json({"offset": 0}, mutator), 1)
        bad = _bad_frame(mutator)
        data = mutator.choice(
            good + bad, bad + good, bad, mutator.data(good), good[:-1], good + bad * 3
        )
        self.given = data
        self._tally.sent["websocket frames"] += 1
        self._leave()
        self._open(None)
        assert self._socket is not None
        self._socket.send(data)
        self._socket.end()
        for event in self._incoming:
            if self._ends(event, data.decode("latin-1")):
                break
        self._leave()

    def _ends(self, event: Frame, known: str) -> bool:
        if event.opcode is Opcode.CLOSE:
            code = int.from_bytes(event.data[:2], "big") if event.data else 1005
            hold(code in CLOSES, f"close code {code}")
            self._tally.answers[f"close {code}"] += 1
            return True
        what, told = check_message(bytes(event.data).decode(), known)
        self._tally.answers[f"ws {what}"] += 1
        self._position = int(told.get("position", told.get("expected_offset", self._position)))
        return False

    def _events(self) -> Iterator[Frame]:
        """Data frames and a close frame, as they come."""
        assert self._socket is not None
        while True:
            for event in self._protocol.events_received():
                assert isinstance(event, Frame)
                if event.opcode not in (Opcode.PING, Opcode.PONG):
                    yield event
            hold(self._protocol.parser_exc is None, f"a frame: {self._protocol.parser_exc}")
            if self._protocol.state is State.CLOSED or not (data := self._socket.more()):
                return
            self._protocol.receive_data(data)

    def _message(self, mutator: Mutator) -> tuple[bytes, bool]:
        if mutator.chance(0.01):
            return b'{"type": "end"}', True
        if self._binary and mutator.chance(0.9):
            offset = self._position if mutator.chance(0.8) else int(abs(mutator.number())) % 2**64
            data = struct.pack("<Q4f", offset, 1, 2, 3, 4)
            return (mutator.data(data) if mutator.chance(0.6) else data), mutator.chance(0.02)
        return self._json({"offset": self._position}, mutator), mutator.chance(0.97)

    def _json(self, part: dict[str, Any], mutator: Mutator) -> bytes:
        chunk = {"type": "chunk", **samples.CHUNK, **part, "acked": part["offset"]}
        text = mutator.json(chunk)
        return text.decode("utf-8", "replace").encode() if mutator.chance(0.95) else text

    def _open(self, mutator: Mutator | None) -> None:
        """A connection on a stream; with a mutator its address and subprotocols may be odd."""
        while self._socket is None:
            odd = mutator is not None and mutator.chance(0.5)
            query = ""
            if odd and mutator is not None:
                chosen = [
                    *mutator.random.sample(_OPTIONS, 2),
                    f"model={quote(mutator.text(), errors='replace')[:9000]}",
                ]
                query = "&".join(chosen[: mutator.choice(1, 1, 2, 3)])
            self._binary = mutator is not None and mutator.chance(0.4)
            offer = f"{BINARY}, graphql-ws" if self._binary else "larnn.json.v1"
            head = handshake(f"Sec-WebSocket-Protocol: {offer}")
            self._socket = Socket(self._url)
            self._socket.send(head.replace(b"/stream", f"/stream?{query}".encode(), 1))
            response = self._socket.response()
            if response is None or response.status != 101:
                hold(response is not None and odd, f"no websocket: {response}")
                assert response is not None
                check_response(response.status, response.headers, response.body, "/stream", query)
                self._leave()
                continue
            self._protocol = ClientProtocol(parse_uri("ws://localhost/stream"), state=State.OPEN)
            self._incoming = self._events()
            self._position = 0
            self._greeted(query, odd)

    def _greeted(self, query: str, odd: bool) -> None:
        event = next(self._incoming, None)
        if event is None:
            raise Finding(f"closed without a word: {query}")
        what, told = check_message(bytes(event.data).decode(), query)
        self._tally.answers[f"ws {what}"] += 1
        hold(what == "opened" or odd, f"no stream: {event.data[:200]!r}")
        if what != "opened":
            closed = any(self._ends(event, query) for event in self._incoming)
            hold(closed, "an error without a close frame behind it")
            return self._leave()
        self.stream = told["stream"]

    def _leave(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self.stream:
            erasing = Socket(self._url)
            erasing.send(
                f"DELETE /streams/{self.stream} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            )
            response = erasing.response()
            hold(response is not None and response.status in (204, 410), f"erasing: {response}")
            erasing.close()
            self.stream = ""


def _framed(mutator: Mutator | None, data: bytes, is_text: bool) -> bytes:
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


def _bad_frame(mutator: Mutator) -> bytes:
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
