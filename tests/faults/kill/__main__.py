"""python -m tests.faults.kill: live streams while what they rest on is killed and paused."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import typer

from benchmarks.measure import Output, Picture, machine, report
from benchmarks.server import ROOT
from larnn_client import AsyncClient
from larnn_service.backend.model_repository import Repository, load_model
from tests.faults import recordings
from tests.faults.kill.cluster import Cluster, Replica, cluster
from tests.faults.kill.witness import Witness, verdict
from tests.faults.recordings import Floats

MODEL = "larnn-har"
KEEPALIVE = 2.0
PAUSE = 8.0
AWAKE = 0.3
"""A replica that wakes up has the store to itself for so long: the other is killed then."""
PROGRAM = "tests.faults.broken_service"


@dataclass(frozen=True)
class Fault:
    """What happened, at which second of the run."""

    kind: Literal["kill", "pause", "store"]
    at: float
    moment: float


def main(
    streams: Annotated[int, typer.Option(help="live streams of recordings")] = 200,
    kills: Annotated[int, typer.Option(help="how often a random replica is killed")] = 20,
    chunk: Annotated[int, typer.Option(help="steps of a message")] = 25,
    hz: Annotated[float, typer.Option(help="steps a second of each stream")] = 50.0,
    seed: Annotated[int, typer.Option(help="of which replica is killed when")] = 0,
    data: Annotated[Path | None, typer.Option(help="folder of the data, else LARNN_DATA")] = None,
    quick: Annotated[bool, typer.Option(help="a bounded form, without the data set")] = False,
    broken: Annotated[bool, typer.Option(help="leave the check of fences out")] = False,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Streams through two replicas, nginx and a store that all break; every step counts once."""
    if quick:
        streams, kills = min(streams, 24), min(kills, 3)
    steps = int(hz * (90 + 12 * kills))
    signals = recordings.example(streams, steps) if quick else recordings.hapt(streams, steps, data)
    witnesses = [Witness(each, chunk, hz) for each in signals]
    environment = {"LARNN_MODEL": MODEL, "LARNN_STORE_TIMEOUT": "2"}
    if broken:
        environment["BROKEN"] = "fence"
    with cluster(2, environment, PROGRAM if broken else "service") as place:
        faults = asyncio.run(_run(place, witnesses, kills, random.Random(seed)))
    print("the uninterrupted run", flush=True)
    found = verdict(
        witnesses, uninterrupted([one.signal[: _sent(one)] for one in witnesses], steps=chunk)
    )
    record = machine() | {
        "command": "kill",
        "streams": streams,
        "kills": sum(fault.kind == "kill" for fault in faults),
        "chunk": chunk,
        "hz": hz,
        "verdict": asdict(found),
        "faults": [_measured(fault, witnesses) for fault in faults],
    }
    report("kill", record, output)
    if picture is not None:
        from tests.faults.kill.picture import draw  # it imports torch

        draw(record, picture)
    if not found.holds:
        raise typer.Exit(1)


async def _run(
    place: Cluster, witnesses: list[Witness], kills: int, chance: random.Random
) -> list[Fault]:
    """The faults, one after the other, while all witnesses speak."""
    stop = asyncio.Event()
    begin = time.perf_counter()
    faults: list[Fault] = []

    def note(kind: Literal["kill", "pause", "store"]) -> None:
        now = time.perf_counter()
        faults.append(Fault(kind, now - begin, now))
        print(f"{now - begin:6.1f} s  {kind}", flush=True)

    async def kill_one(replica: Replica) -> None:
        note("kill")
        place.replicas.sort(key=lambda one: one is replica)
        await asyncio.to_thread(replica.kill)
        await asyncio.to_thread(replica.start)

    async def pause() -> None:
        sleeper, *_, other = place.replicas
        note("pause")
        sleeper.send(signal.SIGSTOP)
        await asyncio.sleep(PAUSE)
        sleeper.send(signal.SIGCONT)
        await asyncio.sleep(AWAKE)
        await kill_one(other)

    async def restart_store() -> None:
        note("store")
        await asyncio.to_thread(place.store.kill)
        await asyncio.to_thread(place.store.start)

    todo: list[Callable[[], Awaitable[None]]] = [
        lambda: kill_one(chance.choice(place.replicas)) for _ in range(kills)
    ]
    todo[kills // 3 : kills // 3] = [pause]
    todo[2 * kills // 3 : 2 * kills // 3] = [restart_store]
    async with (
        AsyncClient(place.url, keepalive=KEEPALIVE, connect_timeout=KEEPALIVE) as client,
        asyncio.TaskGroup() as group,
    ):
        for witness, phase in zip(witnesses, np.linspace(1, 2, len(witnesses)), strict=True):
            group.create_task(witness.run(client, begin + float(phase), stop))
        await asyncio.sleep(5)
        for fault in todo:
            await fault()
            await asyncio.sleep(chance.uniform(1.5, 3.5))
        stop.set()
    return faults


def uninterrupted(signals: list[Floats], steps: int, rows: int = 50) -> list[Floats]:
    """The logits [steps, classes] of each signal [steps, channels], in one process at a stretch.

    In chunks of `steps`, as they were sent: whatever differs then, a fault made.
    """
    model = load_model(Repository(ROOT / "models").newest(MODEL), "cpu")
    found: list[Floats] = []
    for first in range(0, len(signals), rows):
        some = signals[first : first + rows]
        state = {t.name: t.initial_array(len(some)) for t in model.manifest.contract.state}
        x = np.zeros((len(some), max(map(len, some)), some[0].shape[1]), dtype=np.float32)
        for row, each in zip(x, some, strict=True):
            row[: len(each)] = each
        parts = []
        for start in range(0, x.shape[1], steps):
            part = np.ascontiguousarray(x[:, start : start + steps])
            lengths = np.array([max(min(len(s) - start, part.shape[1]), 1) for s in some])
            logits, state = model.backend.run(part, lengths, state)
            parts.append(logits)
        whole = np.concatenate(parts, axis=1)
        found += [row[: len(each)] for row, each in zip(whole, some, strict=True)]
    return found


def _sent(witness: Witness) -> int:
    return witness.sent[-1] if witness.sent else 1


def _measured(fault: Fault, witnesses: list[Witness]) -> dict[str, Any]:
    """Seconds to the next answer: of the streams that had to resume, and of the others."""
    answers = [found for one in witnesses if (found := one.next_answer(fault.moment))]
    resumed = sorted(round(seconds, 3) for seconds, new in answers if new)
    others = sorted(round(seconds, 3) for seconds, new in answers if not new)
    return {
        "kind": fault.kind,
        "at_s": round(fault.at, 1),
        "resumed_s": resumed,
        "others_s": others,
    }


if __name__ == "__main__":
    typer.run(main)
