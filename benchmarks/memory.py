"""python -m benchmarks memory: resident memory of the service by its concurrency, at work."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated

import httpx
import numpy as np
import psutil
import typer

from benchmarks.measure import Output, machine, report
from benchmarks.server import ROOT, serving
from larnn_service.contract import Manifest

MEGABYTE = 10**6
_MODEL = "larnn-har"


def memory(
    concurrency: Annotated[list[int] | None, typer.Option(help="[default: 1, 4, 16]")] = None,
    requests: Annotated[int, typer.Option(help="for each of these")] = 200,
    sequences: Annotated[int, typer.Option(help="in a request: the rows of a run")] = 64,
    steps: Annotated[int, typer.Option(help="of each sequence")] = 128,
    output: Output = None,
) -> None:
    """The service without work, and at most while twice as many clients as runs ask at a time."""
    manifest = Manifest.model_validate_json((ROOT / f"models/{_MODEL}/1/model.json").read_text())
    body = io.BytesIO()
    np.save(body, np.zeros((sequences, steps, manifest.contract.input.width), "<f4"))
    told = {"requests": requests, "sequences": sequences, "steps": steps}
    record = machine() | {"command": "memory", **told}
    record["rows"] = [_row(each, requests, body.getvalue()) for each in concurrency or [1, 4, 16]]
    report("memory", record, output)


def _row(concurrency: int, requests: int, body: bytes) -> dict[str, float]:
    with serving(ROOT / "models", _MODEL, concurrency) as server:
        process = psutil.Process(server.pid)
        quiet = process.memory_info().rss
        url = f"http://127.0.0.1:{server.port}"
        headers = {"Content-Type": "application/x-npy"}
        with httpx.Client(base_url=url, headers=headers, timeout=600) as client:

            def ask(_: int) -> int:
                client.post("/classify", content=body).raise_for_status()
                return int(process.memory_info().rss)

            with ThreadPoolExecutor(2 * concurrency) as pool:
                largest = max(pool.map(ask, range(requests)))
    return {
        "concurrency": concurrency,
        "quiet_mb": round(quiet / MEGABYTE),
        "at_work_mb": round(largest / MEGABYTE),
        "a_run_mb": round((largest - quiet) / MEGABYTE / concurrency),
    }
