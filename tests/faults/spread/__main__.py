"""python -m tests.faults.spread: live streams through a rolling restart and a scale-out."""

from __future__ import annotations

import asyncio
import json
import re
import time
from dataclasses import asdict
from typing import Annotated, Any

import httpx
import numpy as np
import typer
import uvloop

from benchmarks.measure import Output, machine, report, write
from larnn_client import AsyncClient
from tests.faults import recordings
from tests.faults.kill.cluster import Cluster, Replica, cluster
from tests.faults.kill.truth import MODEL, uninterrupted
from tests.faults.kill.witness import Witness, verdict
from tests.until import until

REPLICAS, THEN = 2, 3
EVEN = 0.15
"""How far a replica may be from its even part of the streams."""
BACK = 0.95
"""Streams that have a connection when they are counted, at least."""
PATIENCE = 600.0
OPENINGS = 50
"""Streams that are opened in a second."""
ROUNDS = 1.25
"""Ages of a connection that are waited for until the streams are counted."""


def main(
    streams: Annotated[int, typer.Option(help="live streams of a recording")] = 24,
    age: Annotated[float, typer.Option(help="LARNN_MAX_CONNECTION_AGE, in seconds")] = 30.0,
    chunk: Annotated[int, typer.Option(help="steps of a message")] = 10,
    hz: Annotated[float, typer.Option(help="steps a second of each stream")] = 10.0,
    output: Output = None,
) -> None:
    """Two replicas are restarted in turn, a third comes, behind nginx with least_conn."""
    signals = recordings.example(streams, int(hz * (4 * ROUNDS * age + 900)))
    witnesses = [Witness(each, chunk, hz) for each in signals]
    environment = {
        "LARNN_MODEL": MODEL,
        "LARNN_MAX_CONNECTION_AGE": str(age),
        "LARNN_STORE_TIMEOUT": "10",
    }
    with cluster(REPLICAS, environment, spare=THEN - REPLICAS, balance="least_conn;") as place:
        stages = uvloop.run(_run(place, witnesses, age))
    print("the uninterrupted run", flush=True)
    sent = [one.signal[: one.sent[-1] if one.sent else 1] for one in witnesses]
    found = verdict(witnesses, uninterrupted(sent, steps=chunk))
    record = machine() | {
        "command": "spread",
        "streams": streams,
        "age": age,
        "chunk": chunk,
        "hz": hz,
        "stages": stages,
        "reconnects": sum(max(one.connections, default=0) for one in witnesses),
        "verdict": asdict(found),
    }
    runs = json.loads(output.read_text()) if output is not None and output.exists() else {}
    report("spread", {"this run": record}, None)
    write(runs | {f"{streams} streams": record}, output)
    evened = [stage["off"] for stage in stages if stage["rested"]]
    if not found.holds() or max(evened) > EVEN:
        raise typer.Exit(1)


async def _run(place: Cluster, witnesses: list[Witness], age: float) -> list[dict[str, Any]]:
    """What each stage left behind."""
    stop = asyncio.Event()
    begin = time.perf_counter()
    stages: list[dict[str, Any]] = []

    async def look(name: str, rest: bool) -> None:
        await asyncio.sleep(ROUNDS * age if rest else 0)
        counts = await asyncio.to_thread(_counts, place.replicas, len(witnesses))
        part = sum(counts) / len(counts)
        off = max(abs(count - part) for count in counts) / part
        stages.append({"stage": name, "rested": rest, "counts": counts, "off": off})
        print(f"{time.perf_counter() - begin:6.1f} s  {name}: {counts}, off {off:.0%}", flush=True)

    async with (
        AsyncClient(place.url, connect_timeout=30, retry_for=PATIENCE) as client,
        asyncio.TaskGroup() as group,
    ):
        opening = 1 + len(witnesses) / OPENINGS
        for witness, phase in zip(witnesses, np.linspace(1, opening, len(witnesses)), strict=True):
            group.create_task(witness.run(client, begin + float(phase), stop))
        await asyncio.sleep(opening)
        await look("opened", rest=False)
        for replica in list(place.replicas):
            await asyncio.to_thread(replica.end)
            await asyncio.to_thread(replica.start)
        await look("restarted", rest=False)
        await look("restarted", rest=True)
        await asyncio.to_thread(place.spares[0].start)
        place.replicas.append(place.spares[0])
        await look("scaled out", rest=False)
        await look("scaled out", rest=True)
        stop.set()
    return stages


def _counts(replicas: list[Replica], streams: int) -> list[int]:
    """Websockets that each has open, as it says itself, once nearly all are back: at any
    moment some are between two connections."""

    def counts() -> list[int]:
        found = [int(_connections(replica)) for replica in replicas]
        return found if sum(found) >= BACK * streams else []

    return until(counts, "streams do not come back")


def _connections(replica: Replica) -> float:
    text = httpx.get(f"{replica.url}/metrics", timeout=60).text
    return float(re.findall(r"^larnn_connections (\S+)$", text, re.MULTILINE)[0])


if __name__ == "__main__":
    typer.run(main)
