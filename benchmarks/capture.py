"""python -m benchmarks capture: what a chunk costs the service where its stream is captured.

Two services of the bundled model, one of which captures every stream, take the same chunks in
turns of a moment, that both have the same of what else the machine does. The figure is CPU
time of the whole process: the event loop, the runs, and the threads that write.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
import uvloop

from benchmarks.measure import Output, machine, report
from benchmarks.server import ROOT, Server, cpu_seconds, serving
from benchmarks.ways import CHUNK, asked
from larnn_service.engine.capture.stretch import FILE_STEPS

MODEL = "larnn-har"
KINDS = ("nothing", "captured")
TURNS = 40
"""Of a round; five more are not counted."""


def capture(
    files: Annotated[int, typer.Option(min=1, help="that each stream fills in a round")] = 2,
    connections: Annotated[int, typer.Option(min=1, max=256, help="that ask at once")] = 16,
    rounds: Annotated[int, typer.Option(min=1, max=50)] = 5,
    output: Output = None,
) -> None:
    """CPU time of a chunk of ten steps over the websocket, without capture and with it."""
    each: dict[str, list[float]] = {kind: [] for kind in KINDS}
    chunks = files * FILE_STEPS // CHUNK
    with tempfile.TemporaryDirectory() as name:
        captured = Path(name) / "captured"
        # Files are full before they are due, and as large as a live stream of 50 Hz makes them.
        more = {"LARNN_CAPTURE": str(captured), "LARNN_CAPTURE_INTERVAL": "600"}
        off, on = (serving(ROOT / "models", MODEL, 1, more=said) for said in (None, more))
        with off as without, on as with_it:
            servers = dict(zip(KINDS, (without, with_it), strict=True))
            for _ in range(rounds):
                for kind, micros in uvloop.run(_cpu_us(servers, connections, chunks)).items():
                    each[kind].append(micros)
        written = sum(file.stat().st_size for file in captured.rglob("*.parquet"))
    ratios = [more / less for less, more in zip(*each.values(), strict=True)]
    rows = [
        {"kind": kind, "cpu_us": median(micros), "rounds_us": micros}
        for kind, micros in each.items()
    ]
    record = {
        "command": "capture",
        "chunks": chunks * connections,
        "connections": connections,
        "rounds": rounds,
        "of_nothing": median(ratios),
        "of_nothing_spread": [min(ratios), max(ratios)],
        "bytes": written,
        "rows": rows,
    }
    report("capture", machine() | record, output)


async def _cpu_us(servers: Mapping[str, Server], connections: int, chunks: int) -> dict[str, float]:
    """Of a chunk, in microseconds, by kind of server."""
    opened = {
        kind: await asked("chunks-binary", server.port, MODEL, connections).open()
        for kind, server in servers.items()
    }
    used = dict.fromkeys(servers, 0.0)
    for turn in range(-(TURNS // 8), TURNS):
        for kind in KINDS[turn % 2 :] + KINDS[: turn % 2]:
            start = cpu_seconds(servers[kind].pid)
            await asyncio.gather(*(asker.repeat(chunks // TURNS) for asker in opened[kind]))
            if turn >= 0:
                used[kind] += cpu_seconds(servers[kind].pid) - start
    await asyncio.gather(*(asker.close() for each in opened.values() for asker in each))
    return {kind: 1e6 * cpu / (chunks // TURNS * TURNS * connections) for kind, cpu in used.items()}
