"""examples/ray_serve.py under Ray Serve: live streams outlive a replica that is killed.

Ray is no package of the project's: `make ray-test` installs it and runs this.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from larnn_client import AsyncClient
from tests import live

pytestmark = pytest.mark.ray
STREAMS, STEPS, CHUNK = 10, 400, 10


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Two replicas behind Ray's proxy, which share a store."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: make ray-test")
    from ray import serve

    monkeypatch.setenv("REPLICAS", "2")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(live.ROOT), *live.PACKAGES]))
    settings = {"models": live.ROOT / "models", "store": f"sqlite:///{tmp_path}/streams.db"}
    for name, value in live.environment(**settings, checkpoint_steps=CHUNK).items():
        monkeypatch.setenv(name, value)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        from examples.ray_serve import app

        serve.run(app, name="larnn")
        yield f"http://127.0.0.1:{port}"
    finally:
        serve.shutdown()
        ray.shutdown()


async def test_a_killed_replica_loses_no_step(url: str) -> None:
    signals = np.load(live.ROOT / "examples" / "recording.npz")["signals"][:STEPS]
    chunks = np.split(signals, range(CHUNK, STEPS, CHUNK))
    positions: list[list[int]] = [[] for _ in range(STREAMS)]
    halfway = asyncio.Event()

    async def one(client: AsyncClient, seen: list[int]) -> int:
        async with client.stream() as stream:
            async for prediction in stream.predict(chunks):
                seen.append(prediction.position)
                if min(map(len, positions)) > len(chunks) // 4:
                    halfway.set()
            return await stream.end()

    async with AsyncClient(url) as client:
        streams = [asyncio.create_task(one(client, seen)) for seen in positions]
        await halfway.wait()
        replicas = [
            process
            for process in psutil.process_iter(["cmdline"])
            if any("ServeReplica" in word for word in process.info["cmdline"] or [])
        ]
        replicas[0].kill()
        assert await asyncio.gather(*streams) == [STEPS] * STREAMS
    assert positions == [list(range(CHUNK, STEPS + 1, CHUNK))] * STREAMS
