"""Sends requests of any kind, on a connection that is kept, and checks what comes back."""

from __future__ import annotations

import json
import time
from urllib.parse import unquote

from tests.faults.attack.attacks import handshake
from tests.faults.fuzz.http_inputs import Request, request
from tests.faults.fuzz.http_wire import Response, Socket
from tests.faults.fuzz.mutate import Mutator
from tests.faults.fuzz.verdicts import Finding, Tally, check_response, hold

IDLE = 2.0
"""Seconds after which a connection is made anew: the service closes one that asks nothing."""


class HttpDoor:
    """One stream of its own, which is opened anew when an input has ended it."""

    def __init__(self, url: str, tally: Tally) -> None:
        self.given: object = None
        """The input that was sent last."""
        self._url, self._tally = url, tally
        self._socket = Socket(url)
        self._left: list[str] = []
        """Streams that inputs have opened, to be erased."""
        self.stream, self.position = "", 0
        self._used = time.monotonic()

    def close(self) -> None:
        """Leave no stream and no connection behind."""
        self._left.append(self.stream)
        self._erase()
        self._socket.close()

    def requests(self, mutator: Mutator) -> None:
        """One request, or several behind one another, each answered once and in order."""
        self._ready()
        made = [
            request(mutator, self.stream, self.position) for _ in range(mutator.choice(1, 1, 1, 3))
        ]
        self.given = made
        self._tally.sent["HTTP"] += len(made)
        self._socket.send(b"".join([each.wire(mutator) for each in made]))
        if not all(each.framed for each in made):
            self._socket.end()
            return self._all_responses(made)
        for each in made:
            response = self._socket.response(each.method)
            if response is None:
                raise Finding(f"no response to {each.method}")
            self._check(response, each)
            if response.closes:
                return self._renew()

    def garbage(self, mutator: Mutator) -> None:
        """The bytes of a request, changed anywhere; then the end."""
        self._ready()
        made = request(mutator, self.stream, self.position)
        data = mutator.data(made.wire(mutator) * mutator.choice(1, 1, 2))
        data = mutator.choice(
            data, data, data, mutator.data(handshake()), mutator.random.randbytes(40)
        )
        if b"unload" in data:
            return
        self.given = data
        self._tally.sent["HTTP bytes"] += 1
        self._renew()
        self._socket.send(data)
        self._socket.end()
        self._all_responses([Request("?", made.target, data)])

    def body(self, method: str, path: str, kind: str, body: bytes) -> None:
        """One request whose body is drawn elsewhere; `ID` in the path is the stream's."""
        self._ready()
        self._tally.sent["HTTP drawn"] += 1
        made = Request(method, path.replace("ID", self.stream), body, kind)
        self._socket.send(made.plain())
        response = self._socket.response()
        if response is None:
            raise Finding(f"no response to {method}")
        self._check(response, made)
        if response.closes:
            self._renew()

    def _all_responses(self, made: list[Request]) -> None:
        """Those before the connection ends: it is not known which request each one answers."""
        whole = Request("?", made[0].target, repr(made).encode())
        while b"HEAD" not in whole.body:
            response = self._socket.response()
            if response is None or response.status == 101:
                break
            self._check(response, whole)
        self._renew()

    def _check(self, response: Response, given: Request) -> None:
        if given.method == "HEAD":
            hold(response.status != 500, "status 500")
            self._tally.answers[f"HTTP {response.status}"] += 1
            return
        if response.status == 100:
            return
        known = f"{given.target} {given.headers} {given.body[:200_000].decode('latin-1')}"
        path = unquote(given.target.partition("?")[0]) if given.method != "?" else None
        told = check_response(response.status, response.headers, response.body, path, known)
        self._tally.answers[f"HTTP {told}"] += 1
        self._note(response, given)

    def _note(self, response: Response, given: Request) -> None:
        """Whatever the request has opened, moved or ended."""
        if response.status == 201:
            self._left.append(str(json.loads(response.body)["stream"]))
        if not self.stream or self.stream not in given.target:
            return
        json_told = response.headers.get("content-type", "").startswith("application/json")
        if response.status == 200 and json_told and response.body.startswith(b'{"'):
            self.position = int(json.loads(response.body).get("position", self.position))
        elif response.status in (204, 410, 404) and given.method != "?":
            self._left.append(self.stream)
            self.stream = ""

    def _ready(self) -> None:
        """Erase what was opened, and see that there is a stream."""
        now, before = time.monotonic(), self._used
        self._used = now
        if len(self._left) > 20:
            self._erase()
        elif now - before > IDLE:
            self._renew()
        if self.stream:
            return
        self._socket.send(Request("POST", "/streams").plain())
        response = self._socket.response()
        if response is None:  # the last input ended the connection
            self._renew()
            return self._ready()
        hold(response.status == 201, f"no stream is opened: {response.body[:200]!r}")
        self.stream, self.position = str(json.loads(response.body)["stream"]), 0

    def _erase(self) -> None:
        self._renew()
        streams, self._left = [each for each in self._left if each], []
        for each in streams:
            self._socket.send(
                f"DELETE /streams/{each} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
            )
            response = self._socket.response()
            if response is None:
                self._renew()
            else:
                hold(response.status in (204, 404, 410), f"erasing: {response.status}")

    def _renew(self) -> None:
        self._socket.close()
        self._socket = Socket(self._url)
