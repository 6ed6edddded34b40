"""python -m benchmarks loop: what a message costs the service's process, besides its network.

The model is a LARNN so small that the way of a message is nearly all that counts. Each figure is a
difference: 2N messages after N, over N, so that whatever happens once cancels out.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
import uvloop

from benchmarks.callgrind import Callgrind, CallgrindError
from benchmarks.client import Asker
from benchmarks.measure import Output, machine, report
from benchmarks.random_larnn import write_larnn
from benchmarks.server import ROOT, Server, ServerError, serving
from benchmarks.ways import WAYS, asked, chosen
from larnn_export.families.larnn.config import LARNNConfig

TINY = "larnn-tiny"
CONFIG = LARNNConfig(hidden_size=4, heads=1, window_size=2, layers=1)
PATIENCE = 300.0
"""For all messages of a row in one round, under valgrind too."""
MOST = 100_000
WARM_UP = 32
COUNTED_ROUNDS = 2
"""At most: two counts of the same differ by a thousandth, and a round takes a while."""
Meter = Callable[[], float]
"""Tells what the process has used since it began."""


def loop(
    tree: Annotated[Path, typer.Option(help="root of the tree to measure", exists=True)] = ROOT,
    messages: Annotated[int, typer.Option(min=1, max=MOST, help="N, for CPU time")] = 1000,
    counted: Annotated[int, typer.Option(min=1, max=MOST, help="N, for instructions")] = 50,
    connections: Annotated[int, typer.Option(min=1, max=256, help="that ask at once")] = 1,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="of each row")] = 5,
    only: Annotated[list[str] | None, typer.Option(help="just these rows")] = None,
    instructions: Annotated[bool, typer.Option(help="count them by valgrind")] = True,
    output: Output = ROOT / "benchmarks/results/loop.json",
) -> None:
    """µs of CPU time and thousands of instructions per message of each way, a tiny model."""
    ways, tree = chosen(only, WAYS), tree.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_larnn(folder / "models", TINY, CONFIG)
        with _serving(folder, tree) as server:
            cpu = _measured(server, ways, connections, messages, rounds, _cpu_us(server.pid))
        counts: dict[str, list[float]] = {}
        why = "not asked for"
        if instructions:
            counts, why = _counted(folder, tree, ways, connections, counted, rounds)
    rows = [
        {"name": way, "cpu_us": median(cpu[way]), "cpu_us_rounds": cpu[way]}
        | _thousands(counts.get(way))
        for way in ways
    ]
    record = {
        "command": "loop",
        "tree": str(tree),
        "messages": messages,
        "counted": counted,
        "connections": connections,
        "rounds": rounds,
        "instructions": why or "by callgrind",
    }
    report("loop", machine() | record | {"rows": rows}, output)


def _counted(
    folder: Path, tree: Path, ways: list[str], connections: int, messages: int, rounds: int
) -> tuple[dict[str, list[float]], str]:
    """Instructions of a message in each round, or none and why."""
    if not Callgrind.is_here():
        return {}, "valgrind is not here"
    (folder / "dumps").mkdir()
    callgrind = Callgrind(folder / "dumps")
    try:
        with _serving(folder, tree, callgrind.command) as server:
            callgrind.count(server.pid)
            meter = callgrind.instructions
            rounds = min(rounds, COUNTED_ROUNDS)
            return _measured(server, ways, connections, messages, rounds, meter), ""
    except (CallgrindError, ServerError) as error:
        return {}, f"valgrind failed: {error}"


@contextmanager
def _serving(folder: Path, tree: Path, under: list[str] | None = None) -> Iterator[Server]:
    """The tree's service with the tiny model and one run at a time."""
    more = {"PYTHONPATH": "", "LARNN_REQUEST_TIMEOUT": str(PATIENCE)}
    with serving(folder / "models", TINY, 1, more=more, tree=tree, under=under or ()) as server:
        yield server


def _cpu_us(pid: int) -> Meter:
    """CPU time of all the process's threads, to the nanosecond where /proc counts in ticks."""
    clock = (~pid << 3) | 2  # as clock_getcpuclockid makes it, which Python does not have
    return lambda: time.clock_gettime_ns(clock) / 1e3


def _measured(
    server: Server, ways: list[str], connections: int, messages: int, rounds: int, meter: Meter
) -> dict[str, list[float]]:
    """What the meter says of one message, in each round."""
    each = -(-messages // connections)

    async def quotient(way: str) -> float:
        opened = await asked(way, server.port, TINY, connections).open()
        await _ask(opened, -(-WARM_UP // connections))
        used = [meter()]
        for times in (each, 2 * each):
            await _ask(opened, times)
            used.append(meter())
        await asyncio.gather(*(asker.close() for asker in opened))
        once, twice = used[1] - used[0], used[2] - used[1]
        return (twice - once) / (each * connections)

    async def bounded(way: str) -> float:
        try:
            return await asyncio.wait_for(quotient(way), PATIENCE)
        except TimeoutError:
            raise ServerError(f"{way}: no answer within {PATIENCE:g} s") from None

    return {way: [uvloop.run(bounded(way)) for _ in range(rounds)] for way in ways}


async def _ask(opened: list[Asker], times: int) -> None:
    await asyncio.gather(*(asker.repeat(times) for asker in opened))


def _thousands(counts: list[float] | None) -> dict[str, Any]:
    if counts is None:
        return {"kilo_instructions": None, "kilo_instructions_rounds": []}
    thousands = [count / 1e3 for count in counts]
    return {"kilo_instructions": median(thousands), "kilo_instructions_rounds": thousands}
