"""A bridge in this process at a real broker: it joins, shares, ends, and says what is wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from larnn_cli.bridge.asks import Asks
from larnn_cli.bridge.counts import Counts
from larnn_cli.bridge.description import Bridge, Payload
from larnn_client import AsyncClient
from larnn_export.data import DataError
from tests import tools
from tests.faults.bridge import mosquitto, tansu

SOON = 20.0
"""Seconds in which a bridge ends whose broker is away: its own bounds are less."""


@contextlib.asynccontextmanager
async def asking(url: str, topic: str, answers: str) -> AsyncIterator[Asks]:
    bridge = Bridge(topic=topic, answers=answers, payload=Payload(steps="s"))
    async with AsyncClient(url) as client:
        yield Asks(client, bridge, 2, Counts())


async def ended(*bridges: asyncio.Task[None]) -> None:
    """They are told to stop, and do it soon and without an error."""
    for bridge in bridges:
        assert not bridge.done(), bridge
        bridge.cancel()
    done, _ = await asyncio.wait(bridges, timeout=SOON)
    assert done == set(bridges)
    assert all(bridge.cancelled() for bridge in bridges)


def body(number: int) -> bytes:
    return json.dumps({"s": [[number, 1]]}).encode()


async def until(what: Callable[[], bool], *bridges: asyncio.Task[None]) -> None:
    """Raises what ends a bridge before."""
    async with asyncio.timeout(100):
        while not what():
            done, _ = await asyncio.wait(bridges, timeout=0.01)
            for bridge in done:
                bridge.result()


async def too_large(where: dict[str, Any]) -> None:
    """An answer that no attempt brings to the broker is told, and not tried for ever."""
    from aiokafka import TopicPartition

    from larnn_cli.bridge.kafka import producer_of
    from larnn_cli.bridge.kafka_partition import send

    producer = await producer_of(where)
    with pytest.raises(DataError, match="raise its max.message.bytes, or ask for fewer outputs"):
        await send(producer, TopicPartition(tansu.SOURCE, 0), [(b"k", bytes(2**24))])
    await producer.stop()


async def test_groups_of_kafka_do_not_mix_and_a_rebalance_ends_none(
    toy_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if tansu.program() is None:
        tools.missing("no broker of Kafka is installed", "KAFKA")
    caplog.set_level("INFO", "larnn.bridge")
    from larnn_cli.bridge.kafka import KafkaBridge

    told: list[dict[str, Any]] = []
    with tansu.running(tmp_path) as broker:
        await broker.create(4)
        where = {"bootstrap_servers": broker.address}
        async with asking(toy_url, tansu.SOURCE, tansu.ANSWERS) as asks:

            def member(group: str) -> asyncio.Task[None]:
                return asyncio.create_task(KafkaBridge(asks, where, group).run())

            bridges = [member("one"), member("two")]
            await too_large(where)
            listening = asyncio.create_task(broker.listen(told.append))
            async with broker.publisher() as publish:
                for number in range(10):
                    await publish(f"device-{number % 4}", body(number))
            await until(lambda: len(told) == 20, *bridges)
            bridges.append(member("one"))
            async with broker.publisher() as publish:
                for number in range(10, 20):
                    await publish(f"device-{number % 4}", body(number))
            await until(
                lambda: len(told) == 40 and caplog.text.count(" keys, after ") == 12, *bridges
            )
            streams: dict[tuple[str, str], list[int]] = {}
            for each in told:
                streams.setdefault((each["key"], each["stream"]), []).append(each["position"])
            assert len(streams) == 8, "one of each key and group"
            assert all(found == list(range(1, 6)) for found in streams.values()), streams
            await ended(*bridges)
            listening.cancel()
            await asyncio.wait({listening})


async def test_qos_0_is_kept_and_a_bridge_of_mqtt_ends_where_the_broker_has(
    toy_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if mosquitto.program() is None:
        tools.missing("no broker of MQTT is installed", "MOSQUITTO")
    caplog.set_level("INFO", "larnn.bridge")
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    from larnn_cli.bridge.mqtt import Broker, MqttBridge

    told: list[dict[str, Any]] = []
    with mosquitto.running(tmp_path) as broker:
        await broker.create(1)
        host, port = broker.address.split(":")
        async with asking(toy_url, "signals/+", "labels/{topic}") as asks:
            listening = asyncio.create_task(broker.listen(told.append))
            own = MqttBridge(asks, Broker(host, int(port), "larnn"), tmp_path / "journal.db")
            one = asyncio.create_task(own.run())
            device = Client(CallbackAPIVersion.VERSION2, "device")
            device.connect(host, int(port))
            device.loop_start()
            device.publish("signals/a", body(0), qos=1)
            await until(lambda: len(told) == 1, one)
            for number in range(1, 4):
                device.publish("signals/a", body(number), qos=number % 2)
            await until(lambda: len(told) == 4, one)
            assert [each["position"] for each in told] == [1, 2, 3, 4]
            assert "signals/a has QoS 0" in caplog.text
            assert caplog.text.count("knows us") == 1, "it has been connected all the time"
            device.disconnect()
            device.loop_stop()
            listening.cancel()
            await asyncio.wait({listening})
            broker.stop()
            await ended(one)
            broker.start()
