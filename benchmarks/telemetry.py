"""python -m benchmarks telemetry: what metrics and traces cost a request, side by side."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from http.server import BaseHTTPRequestHandler, HTTPServer
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median
from typing import Annotated, Any
from unittest import mock

import typer
import uvloop
from fastapi import FastAPI

from benchmarks.measure import Output, machine, report
from benchmarks.server import ROOT
from larnn_service.app import Service, create_app
from larnn_service.settings import Settings
from larnn_service.telemetry.metrics import Metrics

KINDS = ("nothing", "metrics", "metrics and traces")
_BODY = json.dumps({"sequences": [[[0.0] * 9]]}).encode()
_SCOPE = {
    "type": "http",
    "method": "POST",
    "path": "/classify",
    "query_string": b"",
    "headers": [(b"host", b"127.0.0.1"), (b"content-type", b"application/json")],
    "client": ("127.0.0.1", 1),
    "server": ("127.0.0.1", 8000),
    "scheme": "http",
    "http_version": "1.1",
}
Message = MutableMapping[str, Any]


def telemetry(
    requests: Annotated[int, typer.Option(help="of each kind in a round")] = 2_000,
    rounds: int = 7,
    output: Output = None,
) -> None:
    """CPU time of POST /classify of one step: without metrics, with them, with traces exported."""
    context = get_context("spawn")
    here, there = context.Pipe()
    sink = context.Process(target=_sink, args=(there,), daemon=True)
    sink.start()
    each = uvloop.run(_measure(here.recv(), requests, rounds))
    base = median(each["nothing"])
    record = machine() | {
        "command": "telemetry",
        "requests": requests,
        "rounds": rounds,
        "rows": [],
    }
    for kind, micros in each.items():
        ratios = [mine / other for mine, other in zip(micros, each["nothing"], strict=True)]
        row = {"kind": kind, "cpu_us": median(micros), "more_us": median(micros) - base}
        record["rows"].append(row | {"of_nothing": median(ratios), "rounds_us": micros})
    report("telemetry", record, output)


async def _measure(collector: str, requests: int, rounds: int) -> dict[str, list[float]]:
    each: dict[str, list[float]] = {kind: [] for kind in KINDS}
    async with AsyncExitStack() as stack:
        apps = {}
        for kind in KINDS:
            apps[kind] = app = _app(kind, collector)
            await stack.enter_async_context(_lifespan(app))
            await _ask(app, requests // 4)
        for number in range(rounds):
            for kind in KINDS[number % 3 :] + KINDS[: number % 3]:
                start = time.process_time()
                await _ask(apps[kind], requests)
                each[kind].append(1e6 * (time.process_time() - start) / requests)
    return each


def _lifespan(service: Service) -> AbstractAsyncContextManager[Any]:
    """From its start to its end."""
    assert isinstance(service.framework, FastAPI)
    return service.framework.router.lifespan_context(service.framework)


def _app(kind: str, collector: str) -> Service:
    told = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector} if kind == KINDS[2] else {}
    with mock.patch.dict(os.environ, told):
        service = create_app(Settings(models=ROOT / "models", concurrency=1))
        if told:
            from fastapi.telemetry._runtime import _configure_from_environment

            assert isinstance(service.framework, FastAPI)
            # as it does when a server starts it
            _configure_from_environment(service.framework._telemetry)  # noqa: SLF001
    if kind == "nothing":
        _silence(service.metrics)
    return service


def _silence(metrics: Metrics) -> None:
    """Let it take every value of a request and keep none."""
    metrics.observer = lambda *_: _NOWHERE  # type: ignore[assignment]
    metrics.steps = mock.Mock(labels=lambda *_: _NOWHERE)


class _Nowhere:
    def observe(self, amount: float) -> None:
        pass

    def inc(self, amount: float = 1) -> None:
        pass


_NOWHERE = _Nowhere()


async def _ask(app: Service, times: int) -> None:
    for _ in range(times):
        await app(_SCOPE | {"state": {}}, _receiver(), _ignore)


def _receiver() -> Callable[[], Awaitable[Message]]:
    messages = iter([{"type": "http.request", "body": _BODY, "more_body": False}])

    async def receive() -> Message:
        for message in messages:
            return message
        await asyncio.Event().wait()  # the client stays
        raise AssertionError

    return receive


async def _ignore(_: Message) -> None:
    pass


def _sink(pipe: Connection) -> None:
    """A collector in a process of its own that reads and forgets."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        pipe.send(f"http://127.0.0.1:{server.server_port}")
        server.serve_forever()
