"""One client after another sends what it generates; each input has a name that makes it again."""

from __future__ import annotations

import time
from collections.abc import Callable
from random import Random

from tests.faults.fuzz.grpc_door import GrpcDoor
from tests.faults.fuzz.http_door import HttpDoor
from tests.faults.fuzz.mutate import Mutator
from tests.faults.fuzz.verdicts import Finding, Tally
from tests.faults.fuzz.websocket_door import WebSocketDoor

SLOW = 0.05
"""Seconds that no input may hold the event loop; one that takes longer is sent once more later."""
SHARES = {
    "http.requests": 50,
    "http.garbage": 8,
    "websocket.messages": 24,
    "websocket.frames": 5,
    "grpc.calls": 11,
    "grpc.garbage": 1,
}
"""How often each kind is drawn."""


class Sender:
    """Every door's client; a door that has failed begins anew."""

    def __init__(self, url: str, grpc: str) -> None:
        self.tally = Tally()
        self._made: dict[str, Callable[[], HttpDoor | WebSocketDoor | GrpcDoor]] = {
            "http": lambda: HttpDoor(url, self.tally),
            "websocket": lambda: WebSocketDoor(url, self.tally),
            "grpc": lambda: GrpcDoor(grpc, self.tally),
        }
        self.doors = {name: make() for name, make in self._made.items()}

    def send(self, name: str) -> None:
        """The input of this name, and look at what comes of it."""
        mutator = Mutator(Random(name))
        [kind] = mutator.random.choices(list(SHARES), list(SHARES.values()))
        door, _, method = kind.partition(".")
        start = time.perf_counter()
        try:
            getattr(self.doors[door], method)(mutator)
        except Finding as finding:
            self.tally.find(finding, name, self.doors[door].given)
            self.renew(door)
        except Exception as error:
            error.add_note(f"the input {name}")
            raise
        took = time.perf_counter() - start
        if took > SLOW:
            self.tally.slow.append((took, name))

    def renew(self, door: str) -> None:
        """Begin anew behind a finding: what the connection holds is not known."""
        self.doors[door] = self._made[door]()

    def close(self) -> None:
        for door in self.doors.values():
            door.close()


def send(url: str, grpc: str, seed: str, count: int, until: float) -> Tally:
    """As many inputs, by their names from seed/0 on; what came of them. None begins after `until`,
    in seconds of the monotonic clock."""
    sender = Sender(url, grpc)
    number = 0
    while sender.tally.sent.total() < count and time.monotonic() < until:
        sender.send(f"{seed}/{number}")
        number += 1
    sender.close()
    sender.tally.slow = sorted(sender.tally.slow, reverse=True)[:50]
    return sender.tally


def send_one(url: str, grpc: str, name: str) -> None:
    """One input again, whatever comes of it."""
    sender = Sender(url, grpc)
    sender.send(name)
    sender.close()
