"""examples/ray_serve.py under Ray Serve: replicas come with live streams, and one may be killed.

Ray is no package of the project's: `make ray-test` installs it and runs this.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from larnn_client import AsyncClient
from tests import live
from tests.until import until

pytestmark = pytest.mark.ray
STREAMS, STEPS, CHUNK = 100, 400, 10
Serving = Callable[..., contextlib.AbstractContextManager[str]]


@pytest.fixture
def serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serving:
    """Starts replicas behind Ray's proxy, which share a store; gives its URL."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: make ray-test")
    from ray import serve

    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(live.ROOT), *live.PACKAGES]))
    settings = {"models": live.ROOT / "models", "store": f"sqlite:///{tmp_path}/streams.db"}
    for name, value in live.environment(**settings, checkpoint_steps=CHUNK).items():
        monkeypatch.setenv(name, value)

    @contextlib.contextmanager
    def serving(**variables: Any) -> Iterator[str]:
        for name, value in variables.items():
            monkeypatch.setenv(name, str(value))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        ray.init(
            num_cpus=4,
            include_dashboard=False,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
        )
        try:
            serve.start(http_options={"host": "127.0.0.1", "port": port})
            example = importlib.reload(importlib.import_module("examples.ray_serve"))
            serve.run(example.app, name="larnn")
            yield f"http://127.0.0.1:{port}"
        finally:
            serve.shutdown()
            ray.shutdown()

    return serving


def replicas() -> list[psutil.Process]:
    return [
        process
        for process in psutil.process_iter(["cmdline"])
        if any("ServeReplica" in word for word in process.info["cmdline"] or [])
    ]


def chunks() -> list[Any]:
    signals = np.load(live.ROOT / "examples" / "recording.npz")["signals"][:STEPS]
    return np.split(signals, range(CHUNK, STEPS, CHUNK))


async def test_a_killed_replica_loses_no_step(serving: Serving) -> None:
    positions: list[list[int]] = [[] for _ in range(STREAMS)]
    halfway, killed = asyncio.Event(), asyncio.Event()

    async def one(client: AsyncClient, seen: list[int]) -> int:
        async with client.stream() as stream:
            for number, chunk in enumerate(chunks()):
                if number == STEPS // CHUNK // 2:
                    await killed.wait()  # nobody has ended before
                stream.send(chunk)
                seen.append((await stream.receive()).position)
                if min(map(len, positions)) > STEPS // CHUNK // 4:
                    halfway.set()
            return await stream.end()

    with serving(REPLICAS=2) as url:
        async with AsyncClient(url, retry_for=600) as client:
            streams = [asyncio.create_task(one(client, seen)) for seen in positions]
            await halfway.wait()
            replicas()[0].kill()
            killed.set()
            assert await asyncio.gather(*streams) == [STEPS] * STREAMS
    assert positions == [list(range(CHUNK, STEPS + 1, CHUNK))] * STREAMS


async def test_live_streams_call_for_more_replicas(serving: Serving) -> None:
    """Silent ones too: what is counted is that they are open."""
    with serving(REPLICAS=1, MOST_REPLICAS=2, STREAMS_A_REPLICA=10) as url:
        assert len(replicas()) == 1
        async with AsyncClient(url, retry_for=600) as client, contextlib.AsyncExitStack() as opened:
            for _ in range(20):
                await opened.enter_async_context(client.stream())
            more = "Ray starts no replica"
            await asyncio.to_thread(until, lambda: len(replicas()) == 2, more)
