"""One run: devices send, what is under test answers, and what breaks breaks."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.bridge.devices import Devices
from tests.faults.bridge.processes import Process
from tests.faults.kill.cluster import Replica

PARTITIONS = 4
WITHIN = 300.0
"""Seconds without an answer after which the rest counts as lost."""


@dataclass
class Run:
    """Of a broker, and of processes that answer."""

    senders: Devices
    broker: Any
    processes: list[Process]
    replica: Replica | None
    """The service that the processes ask, if they do."""
    faults: list[str] = field(default_factory=list)
    rate: float | None = 0.0
    """Messages a second; 0: as fast as they go. None: all of them are at the broker before."""
    ahead: int = 0
    """Messages at most that are sent and not answered; 0: as many as there are."""
    seconds: float = 0.0
    """From the first answer to the last."""
    cpu_seconds: float = 0.0
    """Meanwhile, of processes and service; of those that were killed it is not known."""
    answers: int = 0
    """Meanwhile."""
    tell: Callable[[str], None] = lambda _: None
    """Of each fault."""

    async def go(self) -> None:
        """The faults are spread over the messages, at equal parts of those that are answered. A
        device repeats itself when its connection breaks, and then a number alone tells; so where
        messages have none, all of them are at the broker before."""
        senders, broker = self.senders, self.broker
        await broker.create(PARTITIONS)
        if self.rate is None:
            await self._send(0)
        for process in self.processes:
            await asyncio.to_thread(process.start)
        listening = asyncio.create_task(broker.listen(senders.take))
        if self.rate is not None:
            async with broker.publisher() as publish:
                await publish("device-0", senders.body(0, 1))
        await self._until(1)
        begun, heard, used = time.perf_counter(), len(senders.heard), self._used()
        rate = self.rate
        sending = None if rate is None else asyncio.create_task(self._send(rate))
        for index, fault in enumerate(self.faults):
            await self._until((index + 1) * senders.total // (len(self.faults) + 1))
            at = time.perf_counter() - begun
            self.tell(f"{at:6.1f} s  {len(senders.heard):7,}  {fault}")
            await self._break(fault, self.processes[index % len(self.processes)])
        await self._until(senders.total)
        self.seconds = time.perf_counter() - begun
        self.answers, self.cpu_seconds = len(senders.heard) - heard, self._used() - used
        if sending is not None:
            await sending
        listening.cancel()
        await asyncio.wait({listening})

    def _used(self) -> float:
        some = [process.cpu_seconds for process in self.processes]
        return sum(some) + (self.replica.cpu_seconds if self.replica else 0)

    async def _break(self, fault: str, process: Process) -> None:
        if fault == "broker":
            await self.broker.fault()
        else:
            one = self.replica if fault == "service" else process
            assert one is not None
            await asyncio.to_thread(one.kill)
            await asyncio.to_thread(one.start)

    async def _send(self, rate: float) -> None:
        senders, begun, count = self.senders, time.perf_counter(), 0
        async with self.broker.publisher() as publish:
            for number in range(1, senders.messages + 1):
                for device in range(len(senders.signals)):
                    if (device, number) not in senders.sent:
                        await publish(f"device-{device}", senders.body(device, number))
                    count += 1
                    while self.ahead and count - len(senders.heard) >= self.ahead:  # noqa: ASYNC110
                        await asyncio.sleep(0.01)
                    if rate:
                        await asyncio.sleep(max(begun + count / rate - time.perf_counter(), 0))
                await asyncio.sleep(0)

    async def _until(self, count: int) -> None:
        """Until so many messages are answered, or none for a long time."""
        heard: Callable[[], int] = self.senders.heard.__len__
        last, since = -1, time.perf_counter()
        while heard() < count and time.perf_counter() - since < WITHIN:
            if heard() > last:
                last, since = heard(), time.perf_counter()
            for process in self.processes:
                process.check()
            await asyncio.sleep(0.02)


def faults_of(kills: int, seed: int) -> list[str]:
    """So many of each, in any order."""
    faults = [kind for kind in ("bridge", "service", "broker") for _ in range(kills)]
    random.Random(seed).shuffle(faults)
    return faults
