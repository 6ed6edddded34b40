"""Rounds of one cell after another, their medians and their spread, beside this service's."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import onnxruntime
import typer

from benchmarks.client import WARM_UP, Askers, load
from benchmarks.server import Server
from larnn_service.native import library

Output = Annotated[Path | None, typer.Option(help="write the figures as JSON")]
Picture = Annotated[Path | None, typer.Option(help="draw them")]
Quick = Annotated[bool, typer.Option(help="a bounded form, which proves that it works")]

RATIOS = ("per_second", "per_cpu_second", "p99_ms")


@dataclass(frozen=True)
class Round:
    """What one measurement of a cell gave."""

    per_second: float
    per_cpu_second: float
    """Of the server's whole tree of processes."""
    p50_ms: float
    p99_ms: float
    client_busy: float = 0.0
    """Of the client's one core: near 1 it would be the client that is measured."""

    @classmethod
    def of(
        cls,
        latencies: list[float],
        seconds: float,
        cpu: float,
        windows: int = 1,
        client_busy: float = 0.0,
    ) -> Round:
        """Of answers after so many seconds each, to so many windows each."""
        p50, p99 = (1e3 * float(value) for value in np.percentile(latencies, (50, 99)))
        count = windows * len(latencies)
        return cls(count / seconds, count / max(cpu, 0.01), p50, p99, client_busy)


Rounds = dict[int, Round]
"""By the number of the round; a server that failed lacks some."""


def measure(
    server: Server, askers: Askers, seconds: float, requests: int, warm_up: int = WARM_UP
) -> Round:
    """One cell, once. Raises ServerError."""
    done = load(server, askers, seconds, requests, warm_up)
    busy = done.client_cpu / done.seconds
    return Round.of(done.latencies, done.seconds, done.server_cpu, client_busy=busy)


def summary(mine: Rounds, other: Rounds, of: str = "ours") -> dict[str, Any]:
    """Medians, spreads, and ratios to what else was measured in the same round, by default this
    service: their median and spread too."""
    result: dict[str, Any] = {}
    for field in fields(Round):
        values = [getattr(one, field.name) for one in mine.values()]
        result[field.name] = median(values)
        result[f"{field.name}_spread"] = [min(values), max(values)]
    both = mine.keys() & other.keys()
    for name in RATIOS if both else ():
        ratios = [getattr(mine[number], name) / getattr(other[number], name) for number in both]
        result[f"{name}_of_{of}"] = median(ratios)
        result[f"{name}_of_{of}_spread"] = [min(ratios), max(ratios)]
    return result | {"rounds": [asdict(one) for one in mine.values()]}


def machine() -> dict[str, Any]:
    """What the figures depend on, besides the code."""
    return {
        "operator": "graph" if library() is None else "native",
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "onnxruntime": onnxruntime.__version__,
        "python": platform.python_version(),
    }


def report(name: str, record: dict[str, Any], output: Path | None) -> None:
    """Print the record as the published table of this name, and write it where a file is named."""
    from benchmarks.published import TABLES  # they import torch: whoever writes alone needs it not

    print(TABLES[name](record))
    write(record, output)


def write(record: dict[str, Any], output: Path | None) -> None:
    """Write the record as JSON, where a file is named."""
    if output is not None:
        output.write_text(json.dumps(record, indent=1) + "\n")
