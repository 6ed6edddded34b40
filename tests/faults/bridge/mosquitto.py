"""An MQTT broker, a process of its own behind a proxy: Eclipse Mosquitto.

It writes its messages to its file when it ends. Killed, it would lose what it has acknowledged,
whatever a bridge does; so it is ended and started again, after every connection was cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import json
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from benchmarks.server import free_port
from tests.client.proxy import Proxy, proxied
from tests.faults.bridge.processes import listens
from tests.until import until

LISTENER = "listener"
DESCRIPTION = """
topic = "signals/+"
answers = "labels/{topic}"
logits = true
payload = { steps = "steps" }
"""


def program() -> str | None:
    """The broker's program; Debian has it where only root looks."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


class Mosquitto:
    """The broker, and both ends of what a bridge does with it."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self._popen: subprocess.Popen[bytes] | None = None
        self.proxy: Proxy

    @property
    def address(self) -> str:
        return urlsplit(self.proxy.url).netloc

    def command(self, description: Path) -> list[str]:
        """The bridge's arguments."""
        journal = str(self._folder / "journal.db")
        arguments = ["bridge", "mqtt", str(description), "--broker", self.address]
        return [*arguments, "--journal", journal, "--client-id", "larnn"]

    def start(self) -> None:
        """Until it listens."""
        found = program()
        assert found is not None
        file = self._folder / "mosquitto.conf"
        settings = {
            "listener": f"{self._port} 127.0.0.1",
            "allow_anonymous": "true",
            "persistence": "true",
            "persistence_location": f"{self._folder}/",
            "max_queued_messages": "0",
            "user": getpass.getuser(),
        }
        file.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._popen = subprocess.Popen([found, "-c", str(file)], stdout=log, stderr=log)
        until(lambda: listens(self._port), "the broker does not come up")

    def stop(self) -> None:
        """It writes what it has."""
        assert self._popen is not None
        self._popen.terminate()
        self._popen.wait(60)

    leave = stop
    """From now on it answers nothing any more."""

    async def create(self, partitions: int) -> None:
        """Begin the sessions of a bridge and of who listens to it: the broker keeps messages and
        answers from now on."""
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = 3600
        host, port = self.address.split(":")
        for name, topic in (("larnn", "signals/+"), (LISTENER, "labels/#")):
            client = Client(CallbackAPIVersion.VERSION2, name, protocol=MQTTProtocolVersion.MQTTv5)
            subscribed = threading.Event()
            client.on_subscribe = lambda *_, done=subscribed: done.set()
            client.connect(host, int(port), clean_start=True, properties=properties)
            client.loop_start()
            client.subscribe(topic, qos=1)
            assert await asyncio.to_thread(subscribed.wait, 60)
            client.disconnect()
            client.loop_stop()

    async def fault(self) -> None:
        """Cut every connection, end the broker, and start it again."""
        self.proxy.cut()
        await asyncio.to_thread(self.stop)
        await asyncio.to_thread(self.start)

    @contextlib.asynccontextmanager
    async def publisher(self) -> AsyncIterator[Callable[[str, bytes], Any]]:
        """`await publish(device, body)` hands a message over; all of them are there at the end."""
        with self._client("publisher") as client:
            last: list[Any] = []

            async def publish(device: str, body: bytes) -> None:
                last[:] = [client.publish(f"signals/{device}", body, qos=1)]

            yield publish
            await asyncio.to_thread(last[0].wait_for_publish, 600)

    async def listen(self, take: Callable[[dict[str, Any]], None]) -> None:
        """Every answer, until cancelled."""
        with self._client(LISTENER) as client:

            def came(client: Client, data: Any, message: MQTTMessage) -> None:
                take(json.loads(message.payload))

            def connected(client: Client, *_: Any) -> None:
                client.subscribe("labels/#", qos=1)

            client.on_message, client.on_connect = came, connected
            client.reconnect()
            await asyncio.Event().wait()

    @contextlib.contextmanager
    def _client(self, name: str) -> Iterator[Client]:
        client = Client(CallbackAPIVersion.VERSION2, name, clean_session=False)
        client.max_queued_messages_set(0)
        client.max_inflight_messages_set(1000)
        client.reconnect_delay_set(1, 1)
        host, port = self.address.split(":")
        client.connect(host, int(port))
        client.loop_start()
        try:
            yield client
        finally:
            client.disconnect()
            client.loop_stop()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Mosquitto]:
    """The broker until the end of the block."""
    port = free_port()
    with proxied(f"http://127.0.0.1:{port}") as proxy:
        broker = Mosquitto(folder, port)
        broker.proxy = proxy
        broker.start()
        try:
            yield broker
        finally:
            broker.stop()
