"""What befalls replicas and store while all streams go on, and how long each of them waited."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from larnn_client import AsyncClient
from tests.faults.kill.cluster import Cluster, Replica
from tests.faults.kill.stores import Kind
from tests.faults.kill.witness import Witness

KEEPALIVE = 2.0
PATIENCE = 600.0
"""Seconds for which a client tries: none gives up because the machine does much else."""
PAUSE = 8.0
AWAKE = 0.3
"""A replica that wakes up has the store to itself for so long: the other is killed then."""
What = Literal["kill", "pause", "store", "primary", "both", "ahead"]
OF_STORE: dict[Kind, list[What]] = {
    "server": ["store"],
    "cluster": ["primary", "both", "primary", "both"],
    "sentinel": ["both", "primary", "both"],
}


@dataclass(frozen=True)
class Fault:
    """What happened, at which second of the run."""

    kind: What
    at: float
    moment: float


@dataclass
class Faults:
    """Breaks one thing after the other."""

    place: Cluster
    chance: random.Random
    begin: float
    done: list[Fault]

    async def cause(self, what: What) -> None:
        """Break it, and wait until it serves again."""
        if what == "kill":
            return await self._kill(self.chance.choice(self.place.replicas))
        if what == "pause":
            return await self._pause()
        self._note(what)
        owners: list[Replica] = []
        if what in ("both", "ahead"):
            owners.append(self._last(self.place.replicas[0]))

        def kill() -> None:
            for owner in owners:
                owner.kill()

        await asyncio.to_thread(self.place.store.fail, kill, ahead=what == "ahead")
        for owner in owners:
            await asyncio.to_thread(owner.start)

    def _note(self, kind: What) -> None:
        now = time.perf_counter()
        self.done.append(Fault(kind, now - self.begin, now))
        print(f"{now - self.begin:6.1f} s  {kind}", flush=True)

    def _last(self, replica: Replica) -> Replica:
        self.place.replicas.sort(key=lambda one: one is replica)
        return replica

    async def _kill(self, replica: Replica) -> None:
        self._note("kill")
        self._last(replica)
        await asyncio.to_thread(replica.kill)
        await asyncio.to_thread(replica.start)

    async def _pause(self) -> None:
        sleeper, *_, other = self.place.replicas
        self._note("pause")
        sleeper.send(signal.SIGSTOP)
        await asyncio.sleep(PAUSE)
        sleeper.send(signal.SIGCONT)
        await asyncio.sleep(AWAKE)
        await self._kill(other)


def planned(store: Kind, kills: int, lossy: bool) -> list[What]:
    """So many kills of a replica, and all else between them; what ends streams comes last."""
    others: list[What] = ["pause", *([] if lossy else OF_STORE[store])]
    todo: list[What] = ["kill"] * kills
    for number, what in reversed(list(enumerate(others, 1))):
        todo.insert(number * kills // (len(others) + 1), what)
    return todo + (["ahead"] if lossy else [])


async def run(
    place: Cluster, witnesses: list[Witness], todo: list[What], chance: random.Random
) -> list[Fault]:
    """The faults, one after the other, while all witnesses speak."""
    stop = asyncio.Event()
    begin = time.perf_counter()
    faults = Faults(place, chance, begin, [])
    async with (
        AsyncClient(
            place.url, keepalive=KEEPALIVE, connect_timeout=2 * KEEPALIVE, retry_for=PATIENCE
        ) as client,
        asyncio.TaskGroup() as group,
    ):
        for witness, phase in zip(witnesses, np.linspace(1, 2, len(witnesses)), strict=True):
            group.create_task(witness.run(client, begin + float(phase), stop))
        await asyncio.sleep(5)
        for what in todo:
            await faults.cause(what)
            await asyncio.sleep(chance.uniform(1.5, 3.5))
        stop.set()
    return faults.done


def waits(fault: Fault, witnesses: list[Witness]) -> dict[str, Any]:
    """Seconds to the next answer: of the streams that had to resume, and of the others."""
    answers = [found for one in witnesses if (found := one.next_answer(fault.moment))]
    return {
        "kind": fault.kind,
        "at_s": round(fault.at, 1),
        "resumed_s": sorted(round(seconds, 3) for seconds, new in answers if new),
        "others_s": sorted(round(seconds, 3) for seconds, new in answers if not new),
    }


def summed_up(faults: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each kind of fault, and of the streams that had to resume and the others: how many waited,
    and how long."""
    rows = []
    for kind in dict.fromkeys(fault["kind"] for fault in faults):
        some = [fault for fault in faults if fault["kind"] == kind]
        for who in ("resumed", "others"):
            if times := [seconds for fault in some for seconds in fault[f"{who}_s"]]:
                p50, p99, most = np.percentile(times, (50, 99, 100)).round(3).tolist()
                row = {"kind": kind, "faults": len(some), "who": who, "count": len(times)}
                rows.append(row | {"p50": p50, "p99": p99, "most": most})
    return rows
