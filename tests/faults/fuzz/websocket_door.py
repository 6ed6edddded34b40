"""Websockets on a socket: messages changed inside valid frames, and frames changed themselves."""

from __future__ import annotations

from collections.abc import Iterator

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.uri import parse_uri

from larnn_service.wire.subprotocols import JSON, form
from tests.faults.attack.attacks import frame, handshake
from tests.faults.fuzz import websocket_inputs
from tests.faults.fuzz.http_inputs import Request
from tests.faults.fuzz.http_wire import Socket
from tests.faults.fuzz.mutate import Mutator
from tests.faults.fuzz.verdicts import (
    CLOSES,
    Finding,
    Tally,
    check_frame,
    check_message,
    check_response,
    hold,
)


class WebSocketDoor:
    """One connection that stays while inputs leave it open."""

    def __init__(self, url: str, tally: Tally) -> None:
        self.given: object = None
        """The input that was sent last."""
        self._url, self._tally = url, tally
        self._socket: Socket | None = None
        self._offer = JSON
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
        made = [
            websocket_inputs.message(mutator, self._offer, self._position)
            for _ in range(mutator.choice(1, 1, 1, 2, 5))
        ]
        self.send(made, mutator)

    def send(self, made: list[tuple[bytes, bool]], mutator: Mutator | None = None) -> None:
        """These messages, each with whether it is text, in frames of any cut."""
        if self._socket is None:
            self._open(mutator)
        assert self._socket is not None
        self.given = made
        self._tally.sent["websocket"] += len(made)
        self._socket.send(b"".join([websocket_inputs.framed(mutator, *each) for each in made]))
        known = b" ".join([data for data, _ in made])[:200_000].decode("latin-1")
        for _ in made:
            event = next(self._incoming, None)
            hold(event is not None or len(made) > 1 or not made[0][1], "closed without a word")
            if event is None or self._ends(event, known):
                return self._leave()

    def frames(self, mutator: Mutator) -> None:
        """A connection's bytes with a frame that is none; then the end."""
        good = frame(websocket_inputs.chunk(mutator, 0), 1)
        bad = websocket_inputs.bad_frame(mutator)
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
        if event.opcode is Opcode.BINARY:
            hold(form(self._offer).all_binary, f"a binary answer under {self._offer}")
            self._position = check_frame(bytes(event.data))
            self._tally.answers["ws frame"] += 1
            return False
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

    def _open(self, mutator: Mutator | None) -> None:
        """A connection on a stream; with a mutator its address and subprotocols may be odd."""
        while self._socket is None:
            odd = mutator is not None and mutator.chance(0.5)
            query = ""
            if odd and mutator is not None:
                query = websocket_inputs.query(mutator)
            self._offer = JSON
            if mutator is not None:
                self._offer = mutator.choice(JSON, JSON, "larnn.f32.v1", "larnn.f32.v2")
            head = handshake(f"Sec-WebSocket-Protocol: {self._offer}, graphql-ws")
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
            erasing.send(Request("DELETE", f"/streams/{self.stream}").plain())
            response = erasing.response()
            hold(response is not None and response.status in (204, 410), f"erasing: {response}")
            erasing.close()
            self.stream = ""
