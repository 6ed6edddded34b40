"""python -m tests.faults.shards: how many live streams a cluster carries, and what bounds them."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.live import RATE_HZ, STEPS, try_streams
from benchmarks.measure import Output, machine, report, write
from benchmarks.redis_py import Servers
from benchmarks.server import ROOT, cpu_seconds, serving
from tests import valkey, valkeys
from tests.faults.kill.truth import MODEL

STORES = {"1 server": (1, 0), "3 shards": (3, 0), "3 shards, 1 awaited": (3, 1)}
"""Shards, and the replicas of each that are awaited."""
REPLICAS = (1, 2, 4, 8)


def main(
    streams: Annotated[int, typer.Option(help="live streams at one replica")] = 100,
    seconds: Annotated[float, typer.Option(help="for which they speak")] = 20.0,
    output: Output = None,
) -> None:
    """CPU time of one replica and of the busiest server of each store, for a stream of 50 Hz.

    From these come the streams at which one core of either is full, whichever is first.
    """
    costs = {name: _cost(*of, streams, seconds) for name, of in STORES.items()}
    rows = [_bound(name, cost, replicas) for name, cost in costs.items() for replicas in REPLICAS]
    record = machine() | {
        "command": "shards",
        "streams": streams,
        "seconds": seconds,
        "costs": costs,
        "rows": rows,
    }
    report("shards", record, None)
    write(record, output)


def _cost(shards: int, awaited: int, streams: int, seconds: float) -> dict[str, Any]:
    """Microseconds of CPU time for a second of a stream, of the replica and the busiest server."""
    with _store(shards) as store:
        settings = {"LARNN_STORE": store, "LARNN_STORE_REPLICAS": str(awaited)}
        settings["LARNN_STORE_TIMEOUT"] = "30"
        with serving(ROOT / "models", MODEL, concurrency=1, more=settings) as replica:
            servers = Servers(store)
            before = [cpu_seconds(replica.pid), *servers.cpu()]
            trial = try_streams(replica, MODEL, streams, seconds)
            used = [
                (after - start) / (streams * seconds) * 1e6
                for start, after in zip(
                    before, [cpu_seconds(replica.pid), *servers.cpu()], strict=True
                )
            ]
    return {
        "chunks_a_second": RATE_HZ / STEPS,
        "replica_us": used[0],
        "busiest_server_us": max(used[1:]),
        "p50_ms": trial.p50_ms,
        "p99_ms": trial.p99_ms,
    }


@contextlib.contextmanager
def _store(shards: int) -> Iterator[str]:
    """The address of one server, or of a cluster; each write is on their disks first."""
    with tempfile.TemporaryDirectory() as folder:
        if shards == 1:
            with valkey.running(Path(folder)) as server:
                yield server.url
        else:
            with valkeys.cluster(Path(folder), **valkey.SAFE) as cluster:
                yield cluster.url


def _bound(store: str, cost: dict[str, Any], replicas: int) -> dict[str, Any]:
    """How many streams fill a core of each replica, or that of the busiest server."""
    of_replicas = replicas * 1e6 / cost["replica_us"]
    of_store = 1e6 / cost["busiest_server_us"]
    return {
        "store": store,
        "replicas": replicas,
        "streams": min(of_replicas, of_store),
        "bound": "replicas" if of_replicas < of_store else "store",
    }


if __name__ == "__main__":
    typer.run(main)
