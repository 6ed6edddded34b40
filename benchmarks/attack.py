"""Hostile websockets and requests against a running service, and what must hold all the while."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from benchmarks.hostile import Frame
from benchmarks.our_streams import BINARY

FINE = {1000, 1007, 1009}
"""Close codes that a hostile client may get, besides those of the table."""
PROBLEMS = ("application/problem+json", "application/json")
"""What an error comes as: the second from /v2."""
PATIENCE = 20.0
MAX_MESSAGE = 4096
"""What the service under attack is set to."""


@dataclass
class Attack:
    """`sent` counts frames and requests. A failed assertion is a finding."""

    url: str
    sent: int = 0
    answers: dict[str, int] = field(default_factory=dict)
    """How often each answer came: a type, an error's code, a status or a close code."""

    def __post_init__(self) -> None:
        self.http = httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False)
        self.address = self.url.replace("http", "ws", 1) + "/stream"

    def websocket(
        self, query: dict[str, str], subprotocol: str | None, bursts: list[list[Frame]]
    ) -> None:
        """Open, send each burst and read its answers; the stream then stands where it stood."""
        stream: str | None = None
        malformed = False  # what follows such a frame resets the connection: no close frame then
        protocols = [Subprotocol(subprotocol)] if subprotocol else None
        address = f"{self.address}?{urlencode(query, errors='replace')}"
        try:
            with connect(address, subprotocols=protocols, compression=None) as socket:
                opened = self._hear(socket)
                stream, position = opened.get("stream"), opened.get("position", 0)
                for burst in bursts if stream else ():
                    for frame in burst:
                        payload = frame.payload(position)
                        malformed |= len(payload) > MAX_MESSAGE or not frame.is_text(payload)
                        self.sent += 1
                        socket.send(payload, text=frame.text)
                    for _ in burst:
                        position = self._hear(socket).get("position", position)
                if stream:
                    self._goes_on(socket, position, binary=subprotocol == BINARY)
        except ConnectionClosed as closed:
            code = 1006 if closed.rcvd is None else closed.rcvd.code
            fine = code in FINE or 4400 <= code < 4600 or (code == 1006 and malformed)
            assert fine, f"closed with {code} after {query}, {subprotocol}, {bursts}"
            self._note(f"close {code}")
        finally:
            if stream is not None:
                self.http.delete(f"/streams/{stream}")

    def _goes_on(self, socket: ClientConnection, position: int, binary: bool) -> None:
        good = Frame({"type": "chunk", "offset": position, "steps": [[1, 2]]})
        if binary:
            good = Frame(position.to_bytes(8, "little") + bytes(8), text=False)
        socket.send(good.payload(position), text=good.text)
        answer = self._hear(socket)
        assert answer["type"] == "prediction" and answer["position"] == position + 1, answer

    def _hear(self, socket: ClientConnection) -> dict[str, Any]:
        text = socket.recv(PATIENCE)
        message: dict[str, Any] = json.loads(text)
        assert message["type"] in ("opened", "prediction", "ended", "error"), message
        self._check(str(text), message.get("code"))
        self._note(message.get("code", message["type"]))
        return message

    def request(self, answer: httpx.Response | Any) -> None:
        """An answer over HTTP, of httpx or of requests: an error says what it is."""
        self.sent += 1
        status: int = answer.status_code
        self._note(f"HTTP {status}")
        assert status < 500 or status == 503, f"{status} {answer.text}"
        if status >= 400:
            told = answer.headers.get("content-type") in PROBLEMS
            code = answer.json()["code"] if told else None
            assert told or status == 400, f"{status} {answer.text}"
            self._check(answer.text, code)
        if status == 201:
            self.http.delete(f"/streams/{answer.json()['stream']}")

    def _check(self, text: str, code: str | None) -> None:
        assert code != "internal", text
        assert "Traceback" not in text and ".py" not in text, text

    def _note(self, what: str) -> None:
        self.answers[what] = self.answers.get(what, 0) + 1


class Bystander:
    """A stream of the toy that goes on, a step at a time, and is answered rightly each time."""

    def __init__(self, url: str) -> None:
        self._socket = connect(url.replace("http", "ws", 1) + "/stream?logits=true")
        json.loads(self._socket.recv(PATIENCE))
        self.steps = 0

    def step(self) -> None:
        chunk = {"type": "chunk", "offset": self.steps, "steps": [[1, -2]]}
        self._socket.send(json.dumps(chunk))
        answer = json.loads(self._socket.recv(PATIENCE))
        self.steps += 1
        assert answer["logits"] == [self.steps, -2 * self.steps, self.steps], answer

    def close(self) -> None:
        self._socket.close()


def openable(http: httpx.Client, most: int) -> int:
    """How many streams can be opened before the service is full; they are deleted again."""
    return len(list(_opened(http, most)))


def _opened(http: httpx.Client, most: int) -> Iterator[str]:
    streams: list[str] = []
    while len(streams) <= most and (answer := http.post("/streams")).status_code == 201:
        streams.append(answer.json()["stream"])
    for stream in streams:
        http.delete(f"/streams/{stream}")
        yield stream
