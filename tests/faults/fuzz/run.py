"""Starts a service and a bystander, lets senders send, and says what did not hold."""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import carried, live, toy
from tests.faults.attack.harness import BACK, LIMITS, bystander, errors_of, resident
from tests.faults.fuzz.drawn import draw
from tests.faults.fuzz.http_inputs import SPARE
from tests.faults.fuzz.http_wire import Socket
from tests.faults.fuzz.sender import SLOW, send, send_one
from tests.faults.fuzz.verdicts import Tally

DRAWN = 0.02
"""The share of hypothesis and schemathesis; our own mutator has the rest."""
WARM_UP = 10_000
"""Inputs after which memory is looked at for the first time; or a tenth of all, or a fifth of the
minutes."""
TRIES = 20
"""How often a slow input is sent again, alone: the shortest hold is the input's own."""
GROWTH = 1.2


@dataclass
class Outcome:
    """What came of a run. Times in milliseconds, sizes in MiB."""

    tally: Tally
    seconds: float = 0.0
    warm: float = 0.0
    after: float = 0.0
    bystander: dict[str, dict[str, float]] = field(default_factory=dict)
    held: dict[str, float] = field(default_factory=dict)
    """Longest holds of the loop by inputs that took long, sent again alone."""
    log: list[str] = field(default_factory=list)
    """Lines of the service's that tell an error."""

    @property
    def faults(self) -> list[str]:
        """What must hold and does not, but for times."""
        found = [f"{count} times: {kind}" for kind, count in self.tally.found.most_common()]
        found += [f"the log: {line.strip()}" for line in self.log[:10]]
        if self.after > GROWTH * self.warm:
            found.append(f"resident memory grew from {self.warm:.0f} to {self.after:.0f} MiB")
        return found

    @property
    def late(self) -> list[str]:
        """Inputs that hold the event loop for too long, each time that they are sent."""
        long = {name: ms for name, ms in self.held.items() if ms > 1e3 * SLOW}
        return [f"the input {name} holds the event loop {ms:.0f} ms" for name, ms in long.items()]

    def record(self) -> dict[str, Any]:
        """All of it, for JSON."""
        tally = self.tally
        return {
            "inputs": tally.sent.total(),
            "seconds": round(self.seconds, 1),
            "faults": self.faults + self.late,
            "bystander": self.bystander,
            "longest_hold_ms": max(self.held.values(), default=0.0),
            "warm": self.warm,
            "after": self.after,
            "sent": dict(tally.sent.most_common()),
            "answers": dict(tally.answers.most_common()),
        }


def fuzz(
    inputs: int,
    seed: int,
    kernels: bool,
    sqlite: bool,
    senders: int = 2,
    minutes: float = 600.0,
    suspects: int = 20,
) -> Outcome:
    """So many inputs to a service of its own, or those that these minutes have room for.

    `suspects`: of the slowest, how many are sent again alone.
    """
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        toy.publish(models)
        toy.publish(models, SPARE)
        carried.publish(models)
        store = f"sqlite:///{folder}/streams.db" if sqlite else "memory"
        level = {} if kernels else {"kernels_level": "none"}
        chosen = LIMITS | level | {"store": store, "log_level": "info", "max_streams": 500}
        with (
            live.process(models=models, model="toy", grpc_port=0, idle_timeout=20, **chosen) as own,
            errors_of(own) as log,
        ):
            outcome = _sent(own, inputs, seed, senders, time.monotonic() + 60 * minutes)
            outcome.held = _holds(own, outcome.tally, suspects)
            assert own.stop() == 0, "the service did not end well"
        outcome.log = log
    return outcome


def _sent(service: live.Process, inputs: int, seed: int, senders: int, until: float) -> Outcome:
    outcome = Outcome(Tally())
    start = time.monotonic()
    context = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(senders + 1, context) as pool,
        bystander(service.url) as measured,
    ):
        warm = min(WARM_UP, inputs // 10)
        soon = start + (until - start) / 5
        for part, count, end in (("warm", warm, soon), ("main", inputs - warm, until)):
            outcome.tally += _part(pool, service, f"{seed}-{part}", count, senders, end)
            if part == "warm":
                outcome.warm = resident(service)
    outcome.seconds = time.monotonic() - start
    outcome.bystander = measured
    outcome.after = _afterwards(service, GROWTH * outcome.warm)
    return outcome


def _part(
    pool: Executor, service: live.Process, seed: str, count: int, senders: int, until: float
) -> Tally:
    """This many inputs, by all senders at once, and one more that sends the drawn ones."""
    own = int(count * (1 - DRAWN)) // senders
    work = [
        pool.submit(send, service.url, service.grpc, f"{seed}-{number}", own, until)
        for number in range(senders)
    ]
    work.append(pool.submit(draw, service.url, seed, count - own * senders, until))
    tally = Tally()
    for each in work:
        tally += each.result()
    return tally


def _afterwards(service: live.Process, most: float) -> float:
    """Resident memory, as soon as it is below this, at the latest after a while."""
    until = time.monotonic() + BACK
    while (size := resident(service)) > most and time.monotonic() < until:
        time.sleep(0.1)
    return size


def _holds(service: live.Process, tally: Tally, suspects: int) -> dict[str, float]:
    """How long each of the slowest inputs holds the event loop, in ms."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return {name: _hold(pool, service, name) for _, name in tally.slow[:suspects]}


def _hold(pool: Executor, service: live.Process, name: str) -> float:
    """How long health waits while this input is sent, the shortest of some tries, in ms."""
    least = float("inf")
    for _ in range(TRIES):
        sending = pool.submit(send_one, service.url, service.grpc, name)
        connection, longest = Socket(service.url), 0.0
        while not sending.done():
            start = time.perf_counter()
            connection.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert connection.response() is not None
            longest = max(longest, time.perf_counter() - start)
            time.sleep(0.001)
        connection.close()
        least = min(least, 1e3 * longest)
        if least < 1e3 * SLOW:
            break
    return least
