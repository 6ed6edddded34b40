"""Requests for every HTTP door, one thing in each changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from tests.faults.fuzz import samples
from tests.faults.fuzz.mutate import LENGTHS, WORD, Mutator

JSON = "application/json"
SPARE = "spare"
"""The model that operators may unload: the other one answers the bystander."""
_WHICH = {"version": 1}
_READ = ("/healthz", "/readyz", "/models", "/metrics", "/", "/docs", "/openapi.json")
_OIP: tuple[str, ...] = ("", "/health/live", "/health/ready", "/models/toy", "/models/toy/ready")
_OIP += ("/models/stats", "/models/toy/stats", "/models/toy/versions/1/stats")
_OIP += ("/models/toy/config", "/models/toy/versions/1", "/models/toy/versions/1/ready")
_METHODS = ("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE", "PROPFIND")
_ODD_HEADERS = (
    *(
        "Host: evil.example",
        "Host: ",
        "Origin: http://evil.example",
        "Origin: null",
        "Expect: 100-continue",
    ),
    *(
        "Authorization: Bearer x",
        "Authorization: é",
        "Content-Encoding: gzip",
        "Accept-Encoding: gzip",
    ),
    *(
        "Upgrade: h2c",
        "Connection: Upgrade",
        "Connection: close",
        "Content-Length: 0",
        "Range: bytes=0-1",
    ),
    *("Idempotency-Key: ", "X-Request-ID: a b", "X-Request-ID: abc", "Content-Type: text/plain"),
    *(
        "Inference-Header-Content-Length: 3",
        "traceparent: 00-0-0-0",
        "Access-Control-Request-Method: PUT",
    ),
    *(
        "Transfer-Encoding: gzip",
        "Content-Length: -1",
        "Content-Length: 99999999999999999999",
        " a: b",
    ),
    *(
        "Content-Type: application/x-npy",
        "Content-Type: application/json; charset=utf-16",
        "a b: c",
        ":",
    ),
)


@dataclass
class Request:
    """A request in parts; `wire` joins them."""

    method: str
    target: str
    body: bytes = b""
    kind: str = ""
    headers: list[str] = field(default_factory=list)
    framed: bool = True
    """Its end is told rightly, so that exactly one response answers it."""

    def wire(self, mutator: Mutator) -> bytes:
        """Its bytes, the body with its length or in chunks."""
        if not self.body or mutator.chance(0.85):
            return self.plain()
        return self._head("Transfer-Encoding: chunked") + _chunked(mutator, self.body)

    def plain(self) -> bytes:
        """Its bytes, the body with its length."""
        return self._head(f"Content-Length: {len(self.body)}") + self.body

    def _head(self, framing: str) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1", "Host: localhost", *self.headers]
        if self.kind:
            lines.append(f"Content-Type: {self.kind}")
        if self.body or self.method in ("POST", "PUT", "PATCH"):
            lines.append(framing)
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass")


def _chunked(mutator: Mutator, body: bytes) -> bytes:
    parts: list[bytes] = []
    place = 0
    while place < len(body):
        size = mutator.choice(1, 7, 64, 5000, len(body))
        part = body[place : place + size] if len(parts) < 50 else body[place:]
        extension = b";a=b" if mutator.chance(0.05) else b""
        parts.append(b"%x%b\r\n%b\r\n" % (len(part), extension, part))
        place += len(part)
    return b"".join([*parts, b"0\r\n", mutator.choice(b"", b"", b"", b"A: b\r\n"), b"\r\n"])


def request(mutator: Mutator, stream: str, position: int) -> Request:
    """A request for one of the doors; `stream` stands at `position`."""
    made: Request = mutator.random.choices(_DOORS, _SHARES)[0](mutator, stream, position)
    if mutator.chance(0.1):
        made.target = _target(mutator, made.target)
    if mutator.chance(0.05):
        made.method = mutator.choice(*_METHODS)
    if mutator.chance(0.1):
        name = mutator.choice("X-Odd", "Idempotency-Key", "Authorization", "Origin", "Accept")
        long = WORD * min(mutator.choice(*LENGTHS), 20_000)
        line = mutator.choice(*_ODD_HEADERS, f"{name}: {long}", f"{name}: \x00", f"{name}: é")
        made.headers.append(line)
        made.framed = False  # it may concern the framing, or be none that a parser takes
    if "unload" in made.target:
        made.target = made.target.replace("toy", SPARE)
    return made


def _target(mutator: Mutator, target: str) -> str:
    path = target.split("/")
    place = mutator.random.randrange(len(path))
    odd = (
        "..",
        "%2e%2e",
        "%00",
        "%ff",
        "%",
        "é",
        "1",
        "-1",
        "0",
        "99999999999",
        "?a=b",
        "a" * 15_000,
    )
    path[place] = mutator.choice(*odd, WORD * mutator.choice(100, 300, 3000), "toy", SPARE)
    query = mutator.choice("", "", f"?model={path[place]}", "?version=x&logits=2&emit=-1", "?&&==")
    return ("/".join(path) or "/") + query


def _classify(mutator: Mutator, _: str, __: int) -> Request:
    return Request("POST", "/classify", mutator.json(samples.CLASSIFY), JSON)


def _told(mutator: Mutator, _: str, __: int) -> Request:
    """Of the model that is told something once: its sequences, or a stream."""
    told = {"model": "carried", "context": samples.CONTEXT}
    if mutator.chance(0.3):
        return Request("POST", "/streams", mutator.json(told), JSON)
    if mutator.chance(0.3):
        text = quote(mutator.json(samples.CONTEXT).decode("utf-8", "replace"))[:10_000]
        path = f"/classify?model=carried&context={text}"
        return Request("POST", path, samples.npy(mutator), "application/x-npy")
    return Request("POST", "/classify", mutator.json(told | {"sequences": [[[1], [2]]]}), JSON)


def _npy(mutator: Mutator, _: str, __: int) -> Request:
    query = mutator.choice(
        "", "?logits=true", "?model=toy&version=1", f"?version={mutator.number()}"
    )
    made = Request("POST", f"/classify{query}", samples.npy(mutator), "application/x-npy")
    if mutator.chance(0.3):
        made.headers.append("Accept: application/x-npy")
    return made


def _open(mutator: Mutator, _: str, __: int) -> Request:
    made = Request("POST", "/streams", mutator.json({"model": "toy", "version": 1}), JSON)
    if mutator.chance(0.5):
        made.headers.append(f"Idempotency-Key: {mutator.random.randrange(50)}")
    return made


def _npy_steps(mutator: Mutator, stream: str, position: int) -> Request:
    offset = position if mutator.chance(0.7) else mutator.number()
    query = f"?offset={offset}" + mutator.choice(
        "", "&emit=every", "&acked=0", "&emit=x", "&acked="
    )
    made = Request(
        "POST", f"/streams/{stream}/steps{query}", samples.npy(mutator, axes=1), "application/x-npy"
    )
    if mutator.chance(0.7):
        made.headers.append("Accept: application/x-npy")
    return made


def _steps(mutator: Mutator, stream: str, position: int) -> Request:
    offset = position + mutator.choice(0, 0, 0, 0, 1, -1)
    body = samples.CHUNK | {"offset": offset, "acked": max(offset - 1, 0)}
    return Request("POST", f"/streams/{stream}/steps", mutator.json(body), JSON)


def _state(mutator: Mutator, stream: str, _: int) -> Request:
    return Request(
        "PUT", f"/streams/{stream}/state", samples.state(mutator), "application/octet-stream"
    )


def _stream(mutator: Mutator, stream: str, _: int) -> Request:
    id = stream
    if mutator.chance(0.4):
        id = mutator.choice(
            stream[:-1], stream[1:] + "0", stream.upper(), stream * 9, "0" * 64, "é"
        )
    get = Request("GET", f"/streams/{id}")
    return mutator.choice(
        get, Request("GET", f"/streams/{id}/state"), Request("POST", f"/streams/{id}/fork")
    )


def _infer(mutator: Mutator, _: str, __: int) -> Request:
    version = mutator.choice("", "", "/versions/1", f"/versions/{mutator.number()}"[:40])
    body = mutator.json(samples.infer(mutator))
    return Request("POST", f"/v2/models/toy{version}/infer", body, JSON)


def _binary_infer(mutator: Mutator, _: str, __: int) -> Request:
    body, size = samples.binary_infer(mutator)
    made = Request("POST", "/v2/models/toy/infer", body, "application/octet-stream")
    made.headers.append(f"Inference-Header-Content-Length: {size}")
    return made


def _operate(mutator: Mutator, _: str, __: int) -> Request:
    verb = mutator.choice("load", "unload", "migrate")
    if mutator.chance(0.5):
        return Request("POST", f"/models/{SPARE}/{verb}", mutator.json(_WHICH), JSON)
    body: Any = {"parameters": {"config": "{}"}}
    return Request("POST", f"/v2/repository/models/{SPARE}/{verb}", mutator.json(body), JSON)


def _read(mutator: Mutator, _: str, __: int) -> Request:
    if mutator.chance(0.2):
        return Request("POST", "/v2/repository/index", mutator.json({"ready": True}), JSON)
    return Request("GET", mutator.choice(*_READ, *(f"/v2{path}" for path in _OIP)))


_DOORS = (
    _classify,
    _told,
    _npy,
    _npy_steps,
    _open,
    _steps,
    _state,
    _stream,
    _infer,
    _binary_infer,
    _operate,
    _read,
)
_SHARES = (20, 8, 8, 8, 4, 14, 8, 5, 14, 10, 1, 6)
