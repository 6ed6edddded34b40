"""Carries an attack out beside a bystander, and measures the service's memory."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

import httpx
import psutil

from tests import live
from tests.faults.attack.attacks import Attack, Target, carry_out

MIB = 2**20
_BAD_LINE = re.compile(r"^(ERROR|CRITICAL)\b|Traceback")
LIMITS = {
    "max_body": 4 * MIB,
    "max_message": 4 * MIB,
    "max_waiting_bytes": 32 * MIB,
    "max_connections": 256,
    "arrival_timeout": 2.0,
    "send_timeout": 2.0,
}
"""Small ones, so that an attack meets them soon."""
ALLOWANCE = 96 * MIB
"""Resident memory that an attack may add: what may wait, what is decoded of it, and the heads and
buffers of all connections."""
BACK = 10.0
"""Seconds after which the memory is as before, but for a fifth."""


@dataclass(frozen=True)
class Result:
    """What came of an attack. Times in milliseconds, sizes in MiB."""

    attack: str
    request_p99: float
    request_longest: float
    chunk_p99: float
    chunk_longest: float
    before: float
    most: float
    after: float
    answers: dict[str, int]

    @property
    def figures(self) -> tuple[float, ...]:
        """The times, and the sizes."""
        times = self.request_p99, self.request_longest, self.chunk_p99, self.chunk_longest
        return *times, self.before, self.most, self.after

    @property
    def faults(self) -> list[str]:
        """What must hold and does not, but for the bystander's times."""
        found = []
        if self.most - self.before > ALLOWANCE / MIB:
            found.append(f"{self.most - self.before:.0f} MiB more memory")
        if self.after > 1.2 * self.before + 1:
            found.append(f"{self.after:.0f} MiB stay, of {self.before:.0f} before")
        return found


@contextmanager
def bystander(url: str) -> Iterator[dict[str, dict[str, float]]]:
    """Asks all the while; afterwards there is what it measured."""
    command = [sys.executable, "-m", "tests.faults.attack.bystander", url]
    measured: dict[str, dict[str, float]] = {}
    with subprocess.Popen(
        command, cwd=live.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == "ready\n", "the bystander could not begin"
            yield measured
        finally:
            out, _ = process.communicate(timeout=100)
    assert process.returncode == 0, "the bystander was answered wrongly, or not at all"
    measured.update(json.loads(out))


def resident(process: live.Process) -> float:
    """MiB of a process and those below it."""
    own = psutil.Process(process.popen.pid)
    each = [own, *own.children(recursive=True)]
    return float(sum(one.memory_info().rss for one in each) / MIB)


@contextmanager
def errors_of(service: live.Process) -> Iterator[list[str]]:
    """Lines of its log that tell an error, whole when the service has ended."""
    found: list[str] = []
    lines = service.popen.stderr
    assert lines is not None

    def listen() -> None:
        found.extend(line for line in lines if _BAD_LINE.search(line))

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        service.popen.terminate()
        thread.join()


def attacked(process: live.Process, attack: Attack, seconds: float) -> Result:
    """The attack's result; whoever asks afterwards is answered."""
    address = urlsplit(process.url)
    assert address.hostname is not None and address.port is not None
    grpc = urlsplit(f"//{process.grpc}") if process.grpc else None
    at = (grpc.hostname or "", grpc.port or 0) if grpc is not None else None
    target = Target(address.hostname, address.port, at, seconds)
    before = most = resident(process)
    with bystander(process.url) as measured:

        async def watched() -> None:
            nonlocal most
            work = asyncio.create_task(carry_out(attack, target))
            while not work.done():
                most = max(most, resident(process))
                await asyncio.wait([work], timeout=0.05)
            await work

        asyncio.run(watched())
    assert httpx.get(f"{process.url}/readyz", timeout=60).is_success
    until, after = time.monotonic() + BACK, resident(process)
    while after > 1.2 * before and time.monotonic() < until:
        httpx.get(f"{process.url}/healthz", timeout=60)
        after = resident(process)
    requests, chunks = measured["requests"], measured["chunks"]
    return Result(
        attack.name,
        requests["p99"],
        requests["longest"],
        chunks["p99"],
        chunks["longest"],
        before,
        most,
        after,
        dict(sorted(target.answers.items())),
    )


def as_json(results: dict[str, list[Result]]) -> str:
    """Results by the kind of service."""
    told = {kind: [asdict(result) for result in each] for kind, each in results.items()}
    return json.dumps(told, indent=1) + "\n"
