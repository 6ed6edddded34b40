"""python -m tests.faults.kill: live streams while what they rest on is killed and paused."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.measure import Output, Picture, machine, report, write
from tests.faults import recordings
from tests.faults.kill import faults, stores
from tests.faults.kill.cluster import cluster
from tests.faults.kill.truth import MODEL, uninterrupted
from tests.faults.kill.witness import Witness, verdict

PROGRAM = "tests.faults.broken_service"


def main(
    streams: Annotated[int, typer.Option(help="live streams of recordings")] = 200,
    kills: Annotated[int, typer.Option(help="how often a random replica is killed")] = 20,
    store: Annotated[stores.Kind, typer.Option(help="what the replicas share")] = "server",
    awaited: Annotated[int, typer.Option(help="LARNN_STORE_REPLICAS")] = 0,
    chunk: Annotated[int, typer.Option(help="steps of a message")] = 25,
    hz: Annotated[float, typer.Option(help="steps a second of each stream")] = 50.0,
    seed: Annotated[int, typer.Option(help="of which replica is killed when")] = 0,
    data: Annotated[Path | None, typer.Option(help="folder of the data, else LARNN_DATA")] = None,
    quick: Annotated[bool, typer.Option(help="a bounded form, without the data set")] = False,
    broken: Annotated[bool, typer.Option(help="leave the check of fences out")] = False,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Streams through two replicas, nginx and a store that all break; every step counts once.

    Where a cluster or Sentinels await no replica, one is promoted at the end that lacks steps.
    """
    if quick:
        streams, kills = min(streams, 24), min(kills, 3)
    lossy = store != "server" and not awaited
    steps = int(hz * (300 + 25 * kills))
    signals = recordings.example(streams, steps) if quick else recordings.hapt(streams, steps, data)
    witnesses = [Witness(each, chunk, hz) for each in signals]
    environment = {
        "LARNN_MODEL": MODEL,
        "LARNN_STORE_TIMEOUT": "2",
        "LARNN_STORE_REPLICAS": str(awaited),
    }
    if broken:
        environment["BROKEN"] = "fence"
    todo = faults.planned(store, kills, lossy)
    with cluster(2, environment, PROGRAM if broken else "service", store) as place:
        done = asyncio.run(faults.run(place, witnesses, todo, random.Random(seed)))
    print("the uninterrupted run", flush=True)
    sent = [one.signal[: one.sent[-1] if one.sent else 1] for one in witnesses]
    found = verdict(witnesses, uninterrupted(sent, steps=chunk))
    waits = [faults.waits(fault, witnesses) for fault in done if fault.kind != "ahead"]
    record = machine() | {
        "command": "kill",
        "store": store,
        "awaited": awaited,
        "survives": sorted(set().union(*(one.survives for one in witnesses))),
        "streams": streams,
        "kills": sum(fault.kind == "kill" for fault in done),
        "chunk": chunk,
        "hz": hz,
        "verdict": asdict(found),
        "waits": faults.summed_up(waits),
    }
    runs = json.loads(output.read_text()) if output is not None and output.exists() else {}
    report("kill", {"this run": record}, None)
    write(runs | {f"{store}, {awaited} awaited": record}, output)
    if picture is not None:
        from tests.faults.kill.picture import draw  # it imports torch

        draw(record, waits, picture)
    if not found.holds(lossy):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
