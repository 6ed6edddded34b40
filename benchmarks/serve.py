"""POST one window over and over: this service beside others, on one and the same graph."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated

import httpx
import numpy as np
import onnxruntime
import typer

from benchmarks import pictures
from benchmarks.bare import BareSession
from benchmarks.client import SameRequest, post
from benchmarks.measure import (
    Output,
    Picture,
    Quick,
    Rounds,
    machine,
    measure,
    report,
    summary,
)
from benchmarks.peers.base import Ask, Floats, Peer, Place
from benchmarks.peers.install import FOLDER, Folder
from benchmarks.peers.registry import PEERS
from benchmarks.server import Server, ServerError, free_port, resident_bytes, running
from benchmarks.signals import signal
from benchmarks.standin import StandIn, write_standin
from larnn_service.contract import INPUT, LOGITS, MANIFEST_FILE, Manifest

STEPS = 128
CONNECTIONS = [1, 16, 64, 256]
BATCHES = (1, 16, 64)
QUICK = ("ours", "fastapi")
SAME = 1e-4


@dataclass(frozen=True)
class Cell:
    """One server, asked in one way over so many connections."""

    server: str
    body: str
    connections: int


def serve(
    only: Annotated[list[str] | None, typer.Option(help="just these servers")] = None,
    connections: Annotated[list[int], typer.Option(help="so many at once")] = CONNECTIONS,
    seconds: Annotated[float, typer.Option(help="time for each cell of a round")] = 3.0,
    rounds: Annotated[int, typer.Option(help="each starts every server again")] = 3,
    peers: Folder = FOLDER,
    quick: Quick = False,
    output: Output = None,
    picture: Picture = None,
) -> None:
    """Windows of 128 steps, one a request, on one LSTM: this service beside other servers."""
    requests = 10**9
    if quick:
        only, connections, seconds, rounds, requests = only or [*QUICK], [1, 4], 0.3, 1, 64
    chosen = _chosen(only, peers)
    workers = len(os.sched_getaffinity(0))
    window = signal(STEPS)
    results: dict[Cell, Rounds] = defaultdict(dict)
    memory: dict[str, int] = {}
    alone: dict[int, Rounds] = defaultdict(dict)
    with tempfile.TemporaryDirectory() as folder:
        standin = write_standin(Path(folder))
        manifest = Manifest.model_validate_json((standin.folder / MANIFEST_FILE).read_bytes())
        session = BareSession(standin.folder, manifest, workers)
        for number in range(rounds):
            for batch in BATCHES:
                alone[batch][number] = session.measure(window, batch, seconds, requests)
            for peer in chosen:
                print(f"round {number + 1}/{rounds}: {peer.name}", flush=True)
                try:
                    with _started(peer, peers, standin, workers) as server:
                        for cell, asked in _checked(peer, server, standin, window, connections):
                            results[cell][number] = measure(server, asked, seconds, requests)
                        memory[peer.name] = resident_bytes(server.pid)
                except ServerError as error:
                    print(f"{peer.name} is left out: {error}")
    cells = sorted(results, key=lambda cell: (cell.body, cell.connections))
    rows = [
        asdict(cell) | summary(results[cell], results[replace(cell, server="ours")])
        for cell in cells
    ]
    bare = [{"batch": batch} | summary(found, {}) for batch, found in alone.items()]
    record = machine() | {
        "command": "serve",
        "seconds": seconds,
        "rounds": rounds,
        "versions": {peer.name: peer.requirements for peer in chosen},
        "resident_bytes": memory,
        "rows": rows,
        "bare": bare,
    }
    report("serve", record, output)
    if picture is not None:
        pictures.serve(record, picture)


def _checked(
    peer: Peer, server: Server, standin: StandIn, window: Floats, connections: list[int]
) -> Iterator[tuple[Cell, SameRequest]]:
    """Each way to ask the server, once it was answered rightly. Raises ServerError."""
    for name, make in peer.asks.items():
        ask = make(window)
        _check(peer, name, ask, server, standin, window)
        request = post(server.port, ask.path, ask.body, ask.headers)
        for count in connections:
            yield Cell(peer.name, name, count), SameRequest(server.port, request, count)


def _chosen(only: list[str] | None, peers: Path) -> list[Peer]:
    """Ours first, then what is asked for and installed; what is not is named."""
    for name in only or []:
        if name not in PEERS:
            raise typer.BadParameter(f"{name} is no server; there are: {', '.join(PEERS)}")
    wanted = [peer for peer in PEERS.values() if not only or peer.name in (*only, "ours")]
    for peer in wanted:
        if not peer.is_installed(peers):
            print(f"{peer.name} is skipped: python -m benchmarks install {peer.name}")
    return [peer for peer in wanted if peer.is_installed(peers)]


@contextlib.contextmanager
def _started(peer: Peer, peers: Path, standin: StandIn, workers: int) -> Iterator[Server]:
    more = free_port(), free_port()
    with tempfile.TemporaryDirectory() as folder:
        place = Place(peer.python(peers), Path(folder), standin, free_port(), workers, more)
        start = peer.start(place)
        with running(start.command, place.port, peer.health, start.environment) as server:
            yield server


def _check(peer: Peer, name: str, ask: Ask, server: Server, standin: StandIn, x: Floats) -> None:
    """A fast wrong answer is none. Raises ServerError."""
    session = onnxruntime.InferenceSession(str(standin.window))
    expected = session.run([LOGITS], {INPUT: x[None]})[0][0]
    url = f"http://127.0.0.1:{server.port}{ask.path}"
    try:
        answer = httpx.post(url, content=ask.body, headers=ask.headers, timeout=60, trust_env=False)
    except httpx.TransportError as error:
        raise ServerError(f"{name}: no answer to the first request: {error!r}") from None
    if answer.status_code != 200:
        raise ServerError(f"{name}: {answer.status_code} {answer.text[:500]}")
    logits = ask.logits(answer.content)
    apart = np.abs((logits - logits.mean()) - (expected - expected.mean())).max()
    if not apart < SAME:
        raise ServerError(f"{name}: {peer.name} answers other logits, by {apart}")
