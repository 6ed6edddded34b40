"""python -m benchmarks capture: what a chunk costs the service where its stream is captured.

Two services of the bundled model, one of which captures every stream, take the same chunks in
turns. The figure is CPU time of the whole process: the event loop, the runs, and the thread that
writes.
"""

from __future__ import annotations

import asyncio
import tempfile
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


def capture(
    files: Annotated[int, typer.Option(min=1, help="that each stream fills in a round")] = 4,
    connections: Annotated[int, typer.Option(min=1, max=256, help="that ask at once")] = 16,
    rounds: Annotated[int, typer.Option(min=1, max=50)] = 5,
    output: Output = None,
) -> None:
    """CPU time of a chunk of ten steps over the websocket, without capture and with it."""
    each: dict[str, list[float]] = {kind: [] for kind in KINDS}
    chunks = files * FILE_STEPS // CHUNK
    with tempfile.TemporaryDirectory() as name:
        captured = Path(name) / "captured"
        # Files are full before they are due: a live stream fills one in a minute or two.
        more = {"LARNN_CAPTURE": str(captured), "LARNN_CAPTURE_INTERVAL": "600"}
        off, on = (serving(ROOT / "models", MODEL, 1, more=said) for said in (None, more))
        with off as without, on as with_it:
            servers = dict(zip(KINDS, (without, with_it), strict=True))
            for number in range(rounds):
                for kind in KINDS[number % 2 :] + KINDS[: number % 2]:
                    each[kind].append(uvloop.run(_cpu_us(servers[kind], connections, chunks)))
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


async def _cpu_us(server: Server, connections: int, chunks: int) -> float:
    """Of a chunk, in microseconds."""
    opened = await asked("chunks-binary", server.port, MODEL, connections).open()
    await asyncio.gather(*(asker.repeat(chunks // 8) for asker in opened))
    start = cpu_seconds(server.pid)
    await asyncio.gather(*(asker.repeat(chunks) for asker in opened))
    used = cpu_seconds(server.pid) - start
    await asyncio.gather(*(asker.close() for asker in opened))
    return 1e6 * used / (chunks * connections)
