"""What must hold of every answer, and what came of a run."""

from __future__ import annotations

import json
import re
import struct
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from larnn_service.errors import MOST
from larnn_service.wire.error_responses import FAILURES
from tests.faults.fuzz.mutate import WORD

CODES = FAILURES.keys() | {"not_found", "method_not_allowed", "bad_request", "head_too_large"}
CODES -= {"internal"}
CLOSES = {failure.close for failure in FAILURES.values()} | {1000, 1002, 1005, 1007, 1009}
CLOSES -= {1011}
"""Close codes that the protocol names, and those of RFC 6455; 1005 where a client gave none."""
REPEATED = 200
"""Characters of an input that an error may repeat."""
_INSIDE = re.compile(r"\bNone\b|Traceback|\.py\b|<[\w.]+ object|\bError\(|Exception")
"""Words of the program, which no error shows."""
SHOWN = 1500
EXAMPLES = 3


class Finding(AssertionError):
    """Something that must hold does not."""


@dataclass
class Tally:
    """What was sent and what came of it; of several senders they add up."""

    sent: Counter[str] = field(default_factory=Counter)
    """Inputs, by door and kind."""
    answers: Counter[str] = field(default_factory=Counter)
    """By status, code or type."""
    findings: dict[str, list[str]] = field(default_factory=dict)
    """Some inputs, by what did not hold."""
    found: Counter[str] = field(default_factory=Counter)
    slow: list[tuple[float, str]] = field(default_factory=list)
    """Seconds and name of the inputs that took long."""

    def find(self, finding: Finding, name: str, given: object) -> None:
        """Keep the finding, with the input and its name."""
        kind = re.sub(r"\d+", "#", str(finding))[:120]
        self.found[kind] += 1
        examples = self.findings.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append(f"{name}: {finding}: {given!r}"[:SHOWN])

    def __iadd__(self, other: Tally) -> Tally:
        self.sent += other.sent
        self.answers += other.answers
        self.found += other.found
        for kind, examples in other.findings.items():
            self.findings[kind] = (self.findings.get(kind, []) + examples)[:EXAMPLES]
        self.slow = sorted(self.slow + other.slow, reverse=True)[:50]
        return self


def hold(condition: object, what: str) -> None:
    """Raises Finding where the condition does not hold."""
    if not condition:
        raise Finding(what)


def check_error(code: object, detail: object, given: str) -> None:
    """An error's code and text. `given` is the input, as far as an error may repeat it."""
    hold(code in CODES, f"the code {code!r}: {detail}")
    hold(isinstance(detail, str) and detail, f"no detail with {code}")
    assert isinstance(detail, str)
    hold(len(detail) <= MOST, f"{len(detail)} characters of an error: {detail[:100]}")
    hold(detail.count(WORD) <= REPEATED, f"an error repeats too much: {detail[:100]}")
    inside = _INSIDE.search(detail)
    hold(not inside or inside[0] in given, f"an error shows what is inside: {detail[:300]}")


def check_response(
    status: int, headers: dict[str, str], body: bytes, path: str | None, given: str
) -> str:
    """An HTTP response; returns its code where it is an error, else its status.

    `path` is None where it is not known which request it answers.
    """
    hold(status != 500 and status in _STATUSES, f"status {status}: {body[:300]!r}")
    if status < 400:
        return str(status)
    told = _object(body)
    kind = headers.get("content-type", "")
    hold(told is not None, f"a {status} of the type {kind!r}: {body[:100]!r}")
    assert told is not None
    if kind == "application/json" and "error" in told:
        hold(path is None or path.startswith("/v2"), f"an error of /v2 elsewhere: {body[:100]!r}")
        hold(told.keys() <= {"error", "code", "expected_offset"}, f"fields {sorted(told)}")
        check_error(told.get("code"), told["error"], given)
    else:
        hold(kind == "application/problem+json", f"a {status} of the type {kind!r}: {body[:100]!r}")
        fields = {"type", "title", "status", "code", "detail"}
        hold(fields <= told.keys() <= fields | {"expected_offset"}, f"fields {sorted(told)}")
        hold(told["status"] == status, f"status {told['status']} in a {status}")
        check_error(told["code"], told["detail"], given)
    code = str(told["code"])
    if code in FAILURES:
        expected = FAILURES[code].status
        oip = 400 if expected == 422 and "error" in told else expected
        hold(status == oip, f"{code} with {status}")
    return code


_STATUSES = {100, 101, 200, 201, 204, 206, 304, 307, 400, 404, 405, 426, 431} | {
    failure.status for failure in FAILURES.values()
}


def check_message(text: str, given: str) -> tuple[str, dict[str, Any]]:
    """A websocket's message: what it is, and its fields."""
    told = _object(text.encode())
    hold(told is not None, f"a message that is no object: {text[:100]}")
    assert told is not None
    hold(told.get("type") in ("opened", "prediction", "ended", "error"), f"message {text[:100]}")
    if told["type"] != "error":
        return str(told["type"]), told
    hold(told.keys() <= {"type", "code", "detail", "expected_offset"}, f"fields {sorted(told)}")
    check_error(told.get("code"), told.get("detail"), given)
    return str(told["code"]), told


def check_frame(data: bytes) -> int:
    """An answer of larnn.f32.v2, of one step at least: three numbers for each by the toy, two by
    the model that is told something once; the position that it tells."""
    hold(len(data) > 24, f"a frame of {len(data)} bytes")
    position, durable, steps = struct.unpack_from("<3Q", data)
    sizes = [24 + 4 * numbers * steps for numbers in (2, 3)]
    hold(len(data) in sizes and steps > 0, f"{steps} steps in {len(data)} bytes")
    hold(max(durable, position) < 2**62, f"durable {durable} at {position}")
    return int(position)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        told = json.loads(body)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None
