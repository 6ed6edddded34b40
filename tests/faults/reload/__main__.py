"""python -m tests.faults.reload: versions come and go under load, and nobody notices."""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from benchmarks.measure import Output, machine, report
from benchmarks.server import ROOT, serving
from larnn_service.backend.model_repository import Repository
from larnn_service.interfaces import Model
from tests.faults.recordings import Floats, example
from tests.faults.reload.biased import write_biased

MODEL = "larnn-har"
WINDOW, CHUNK = 128, 10
PAUSE, LOAD_EVERY = 0.05, 0.1
"""Seconds between the chunks of a stream, and between loads."""
CLOSE = 1e-4
HALF = 3
"""The number of a version whose graph is half copied."""


@dataclass
class Seen:
    """What the clients saw."""

    answered: int = 0
    failed: list[str] = field(default_factory=list)
    """Requests with no answer, or another than that of the version that it names."""
    by_version: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0})
    latencies: list[float] = field(default_factory=list)
    chunks: int = 0
    disturbed: list[str] = field(default_factory=list)
    """Streams that were closed, refused, or answered otherwise than by their version."""
    loads: int = 0
    refused: int = 0
    """Loads of the half-copied version, all of which must be refused."""


def main(
    requests: Annotated[int, typer.Option(help="POST /classify")] = 10_000,
    connections: Annotated[int, typer.Option(help="that ask side by side")] = 16,
    streams: Annotated[int, typer.Option(help="open websockets")] = 50,
    output: Output = None,
) -> None:
    """Load two versions in turn, and try a half-copied third, under requests and streams."""
    with tempfile.TemporaryDirectory() as name:
        models = Path(name)
        bundled = Repository(ROOT / "models").newest(MODEL)
        shutil.copytree(bundled, models / MODEL / "1", ignore=shutil.ignore_patterns("checkpoint"))
        with serving(models, MODEL, concurrency=2) as server:
            versions = _publish_more(models)
            seen = asyncio.run(
                _run(f"127.0.0.1:{server.port}", versions, requests, connections, streams)
            )
    p50, p99 = (1e3 * float(value) for value in np.percentile(seen.latencies, (50, 99)))
    record = machine() | {
        "command": "reload",
        "model": MODEL,
        "requests": requests,
        "answered": seen.answered,
        "failed": len(seen.failed),
        "by_version": seen.by_version,
        "streams": streams,
        "chunks": seen.chunks,
        "disturbed": len(seen.disturbed),
        "loads": seen.loads,
        "refused": seen.refused,
        "p50_ms": p50,
        "p99_ms": p99,
    }
    for problem in [*seen.failed, *seen.disturbed][:10]:
        print(problem)
    report("reload", record, output)


def _publish_more(models: Path) -> dict[int, Model]:
    """Version 1 is the bundled model, 2 answers otherwise, of 3 the graph is half there."""
    write_biased(models / MODEL / "1", models / MODEL / "2")
    write_biased(models / MODEL / "1", models / MODEL / str(HALF))
    graph = models / MODEL / str(HALF) / "model.onnx"
    graph.write_bytes(graph.read_bytes()[: graph.stat().st_size // 2])
    return {version: Repository(models, "cpu").load(MODEL, version) for version in (1, 2)}


async def _run(
    host: str, versions: dict[int, Model], requests: int, connections: int, streams: int
) -> Seen:
    seen, done = Seen(), asyncio.Event()
    signal = example(1, 40_000)[0]  # more than a stream can send meanwhile
    windows = [signal[start : start + WINDOW] for start in range(0, 2_000, 250)]
    answers = {
        version: [_logits(model, window, WINDOW)[-1] for window in windows]
        for version, model in versions.items()
    }
    limits = httpx.Limits(max_connections=connections + 1)
    async with httpx.AsyncClient(base_url=f"http://{host}", timeout=60, limits=limits) as client:
        first = await client.post(f"/models/{MODEL}/load", json={"version": 1})
        first.raise_for_status()
        left = iter(range(requests))
        truth = _logits(versions[1], signal, CHUNK)
        opened = [asyncio.Event() for _ in range(streams)]
        talks = [
            asyncio.create_task(_stream(host, signal, truth, seen, is_open, done))
            for is_open in opened
        ]
        await asyncio.gather(*(is_open.wait() for is_open in opened))
        operator = asyncio.create_task(_operate(client, seen, done))
        await asyncio.gather(
            *(_ask(client, left, windows, answers, seen) for _ in range(connections))
        )
        done.set()
        await asyncio.gather(operator, *talks)
    return seen


def _logits(model: Model, signal: Floats, steps: int) -> Floats:
    """[steps, classes] of the signal in chunks, by the graph alone."""
    state = {t.name: t.initial_array(1) for t in model.manifest.contract.state}
    parts = []
    for start in range(0, len(signal), steps):
        x = signal[None, start : start + steps]
        logits, state = model.backend.run(x, np.array([x.shape[1]]), state)
        parts.append(logits[0])
    return np.concatenate(parts)


async def _ask(
    client: httpx.AsyncClient,
    left: Any,
    windows: list[Floats],
    answers: dict[int, list[Floats]],
    seen: Seen,
) -> None:
    bodies = [{"sequences": [window.tolist()], "logits": True} for window in windows]
    for number in left:
        which = number % len(bodies)
        try:
            answer = await client.post("/classify", json=bodies[which])
            answer.raise_for_status()
            said = answer.json()
            [prediction] = said["predictions"]
            if not _same(prediction["logits"], answers[said["version"]][which]):
                raise ValueError(f"another answer than version {said['version']} gives")
        except (httpx.HTTPError, ValueError, KeyError) as error:
            seen.failed.append(f"request {number}: {error!r}")
            continue
        seen.answered += 1
        seen.by_version[said["version"]] += 1
        seen.latencies.append(answer.elapsed.total_seconds())


async def _stream(
    host: str, signal: Floats, truth: Floats, seen: Seen, opened: asyncio.Event, done: asyncio.Event
) -> None:
    """One connection on one stream of version 1, without any second try."""
    try:
        async with connect(f"ws://{host}/stream?model={MODEL}&logits=true") as socket:
            if (version := json.loads(await socket.recv())["version"]) != 1:
                raise ValueError(f"opened on version {version}")
            opened.set()
            for offset in range(0, len(signal), CHUNK):
                if done.is_set():
                    break
                steps = signal[offset : offset + CHUNK]
                message = {"type": "chunk", "offset": offset, "steps": steps.tolist()}
                await socket.send(json.dumps(message))
                answer = json.loads(await socket.recv())
                if answer["position"] != offset + len(steps):
                    raise ValueError(f"stands at {answer['position']}")
                if not _same(answer["logits"], truth[offset + len(steps) - 1]):
                    raise ValueError(f"another answer at {offset} than version 1 gives")
                seen.chunks += 1
                await asyncio.sleep(PAUSE)
    except (ConnectionClosed, OSError, ValueError, KeyError) as error:
        seen.disturbed.append(f"a stream: {error!r}")
        opened.set()


def _same(logits: list[float], expected: Floats) -> bool:
    return bool(np.abs(np.array(logits) - expected).max() <= CLOSE * np.abs(expected).max())


async def _operate(client: httpx.AsyncClient, seen: Seen, done: asyncio.Event) -> None:
    """Load one version after the other, and the half-copied one in between."""
    while not done.is_set():
        for version in (2, HALF, 1, HALF):
            answer = await client.post(f"/models/{MODEL}/load", json={"version": version})
            if version == HALF:
                seen.refused += answer.json().get("code") == "bad_model"
            else:
                answer.raise_for_status()
                seen.loads += 1
            await asyncio.sleep(LOAD_EVERY)


if __name__ == "__main__":
    typer.run(main)
