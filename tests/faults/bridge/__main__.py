"""python -m tests.faults.bridge: devices, a broker, bridges and the service, which all break."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from benchmarks.measure import Output, machine, write
from benchmarks.server import ROOT
from tests.faults import recordings
from tests.faults.bridge import mosquitto, tansu
from tests.faults.bridge.devices import Devices, verdict
from tests.faults.kill.cluster import Replica
from tests.faults.kill.truth import MODEL, uninterrupted
from tests.live import PACKAGES

BROKERS = {"kafka": tansu, "mqtt": mosquitto}
PARTITIONS = 4
WITHIN = 300.0
"""Seconds without an answer after which the rest counts as lost."""


class Bridge:
    """One process of `larnn bridge`."""

    def __init__(self, command: list[str], url: str, log: Path) -> None:
        self._command = [sys.executable, "-m", "cli", *command, "--url", url, "--progress", "5"]
        self._log = log
        self._popen: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *PACKAGES])}
        with self._log.open("ab") as log:
            self._popen = subprocess.Popen(
                self._command, env=environment, cwd=ROOT, stdout=log, stderr=log
            )

    def kill(self) -> None:
        """SIGKILL: nothing is written or said any more."""
        assert self._popen is not None
        self._popen.kill()
        self._popen.wait()

    def end(self) -> float:
        """Told to, by SIGTERM, it ends by itself: seconds until then."""
        assert self._popen is not None
        begun = time.perf_counter()
        self._popen.terminate()
        if (code := self._popen.wait(60)) != 0:
            raise SystemExit(f"the bridge ended with {code}:\n{self._log.read_text()[-4000:]}")
        return time.perf_counter() - begun

    def check(self) -> None:
        """It has not ended by itself."""
        assert self._popen is not None
        if self._popen.poll() is not None:
            raise SystemExit(f"the bridge has ended:\n{self._log.read_text()[-4000:]}")


def main(
    kind: Annotated[str, typer.Argument(help="kafka or mqtt")],
    messages: Annotated[int, typer.Option(help="of all devices together")] = 100_000,
    devices: Annotated[int, typer.Option(help="that send")] = 100,
    chunk: Annotated[int, typer.Option(help="steps of a message")] = 10,
    kills: Annotated[int, typer.Option(help="of bridge, of service, and faults of broker")] = 20,
    rate: Annotated[float, typer.Option(help="messages a second; 0: as fast as they go")] = 0,
    bridges: Annotated[int, typer.Option(help="that share the partitions; of Kafka")] = 1,
    checkpoint: Annotated[int, typer.Option(help="steps between a stream's checkpoints")] = 100,
    sequence: Annotated[
        bool, typer.Option(help="messages have numbers; without, all are sent before the faults")
    ] = True,
    keep: Annotated[Path | None, typer.Option(help="a folder for what the processes say")] = None,
    seed: Annotated[int, typer.Option(help="of what is killed when")] = 0,
    output: Output = None,
) -> None:
    """Every message of every device is counted once and answered, whatever is killed; and a bridge
    that is told to stop when its broker answers no more does."""
    signals = recordings.example(devices, messages // devices * chunk)
    senders = Devices(signals, chunk)
    with ExitStack() as stack:
        folder = keep or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = {
            "LARNN_MODEL": MODEL,
            "LARNN_STORE": f"sqlite:///{folder}/streams.db",
            "LARNN_CHECKPOINT_STEPS": str(checkpoint),
        }
        replica = Replica(environment)
        stack.callback(replica.end)
        replica.start()
        broker = stack.enter_context(BROKERS[kind].running(folder))
        description = folder / "bridge.toml"
        text = BROKERS[kind].DESCRIPTION
        if sequence:
            text = text.replace("{ steps", '{ sequence = "n", steps')
        description.write_text(text)
        some = [
            Bridge(broker.command(description), replica.url, folder / f"bridge{index}.log")
            for index in range(bridges)
        ]
        for each in some:
            stack.callback(each.kill)
        faults = _faults(kills, random.Random(seed))
        seconds = asyncio.run(
            _run(senders, broker, some, replica, faults, rate if sequence else None)
        )
        broker.leave()
        ends = max(each.end() for each in some)
        logs = [line for one in folder.glob("bridge*.log") for line in one.read_text().splitlines()]
    found = verdict(senders, uninterrupted(list(signals), steps=chunk))
    latencies = senders.latencies() if sequence else []
    p50, p99 = np.percentile(latencies, (50, 99)) if latencies else (None, None)
    record = machine() | {
        "command": f"bridge {kind}",
        "devices": devices,
        "chunk": chunk,
        "kills": kills,
        "rate": rate,
        "sequence": sequence,
        "bridges": bridges,
        "checkpoint_steps": checkpoint,
        "seconds": round(seconds, 1),
        "per_second": round(found.messages / seconds),
        "p50_ms": p50 and round(1e3 * float(p50), 1),
        "p99_ms": p99 and round(1e3 * float(p99), 1),
        "ends_without_broker_s": round(ends, 1),
        "verdict": asdict(found),
    }
    print(*record.items(), sep="\n")
    write(record, output)
    if not found.holds:
        print(*logs[-60:], sep="\n")
        raise typer.Exit(1)


def _faults(kills: int, chance: random.Random) -> list[str]:
    """So many of each, in any order."""
    faults = [kind for kind in ("bridge", "service", "broker") for _ in range(kills)]
    chance.shuffle(faults)
    return faults


async def _run(
    senders: Devices,
    broker: Any,
    bridges: list[Bridge],
    replica: Replica,
    faults: list[str],
    rate: float | None,
) -> float:
    """Seconds from the first message to the last answer; the faults are spread over the messages,
    at equal parts of those that are answered. Without a rate all of them are at the broker before:
    a device that repeats itself when its connection breaks would be told by a number alone."""
    total = len(senders.signals) * senders.messages
    await broker.create(PARTITIONS)
    if rate is None:
        await _send(senders, broker, 0)
    for bridge in bridges:
        await asyncio.to_thread(bridge.start)
    listening = asyncio.create_task(broker.listen(senders.take))
    if rate is not None:
        await _warm(senders, broker)
    begun = time.perf_counter()
    sending = asyncio.create_task(_send(senders, broker, rate) if rate is not None else _nothing())
    for index, fault in enumerate(faults):
        await _until(senders, bridges, (index + 1) * total // (len(faults) + 1))
        print(f"{time.perf_counter() - begun:6.1f} s  {len(senders.heard):7,}  {fault}", flush=True)
        if fault == "broker":
            await broker.fault()
        elif fault == "service":
            await asyncio.to_thread(replica.kill)
            await asyncio.to_thread(replica.start)
        else:
            one = bridges[index % len(bridges)]
            await asyncio.to_thread(one.kill)
            await asyncio.to_thread(one.start)
    await _until(senders, bridges, total)
    seconds = time.perf_counter() - begun
    await sending
    listening.cancel()
    await asyncio.wait({listening})
    return seconds


async def _warm(senders: Devices, broker: Any) -> None:
    """The first message of the first device, until its answer comes: all of it runs."""
    async with broker.publisher() as publish:
        await publish("device-0", senders.body(0, 1))
    await _until(senders, [], 1)


async def _nothing() -> None:
    """All has been sent."""


async def _send(senders: Devices, broker: Any, rate: float) -> None:
    begun, count = time.perf_counter(), 0
    async with broker.publisher() as publish:
        for number in range(1, senders.messages + 1):
            for device in range(len(senders.signals)):
                if (device, number) not in senders.sent:
                    await publish(f"device-{device}", senders.body(device, number))
                count += 1
                if rate:
                    await asyncio.sleep(max(begun + count / rate - time.perf_counter(), 0))
            await asyncio.sleep(0)


async def _until(senders: Devices, bridges: list[Bridge], count: int) -> None:
    """Until so many messages are answered, or none for a long time."""
    last, since = -1, time.perf_counter()
    while len(senders.heard) < count and time.perf_counter() - since < WITHIN:
        if len(senders.heard) > last:
            last, since = len(senders.heard), time.perf_counter()
        for bridge in bridges:
            bridge.check()
        await asyncio.sleep(0.02)


if __name__ == "__main__":
    typer.run(main)
