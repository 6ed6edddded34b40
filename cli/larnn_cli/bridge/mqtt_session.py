"""A session at an MQTT broker that outlives connections: QoS 1, acknowledged by hand."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from paho.mqtt.client import (
    Client,
    ConnectFlags,
    DisconnectFlags,
    MQTTMessage,
    topic_matches_sub,
)
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from larnn_cli.bridge.asks import Asks
from larnn_cli.bridge.journal import UNACKNOWLEDGED, Delivery
from larnn_export.data import DataError

if TYPE_CHECKING:
    from larnn_cli.bridge.mqtt import Broker

LOGGER = logging.getLogger("larnn.bridge")
FOR_EVER = 2**32 - 1
NO_RETAINED = 2
UNKEPT = 10_000
"""Messages of QoS 0 that wait for the journal; the broker cannot be told to keep further ones."""
CLOSE = 1.0
"""Seconds for the broker to close a connection that is left."""
PASSING = (0x88, 0x89, 0x97, 0x9F)
"""Reasons not to connect that pass: unavailable, busy, over a quota, too many connections."""
ENDING = {
    0x8E: "another client has the id {}: give each bridge its own --client-id",
    0x95: "the broker takes no packets so large: raise its limit, or ask for fewer outputs",
}
"""Reasons to end a connection for which another one ends likewise."""


class SessionError(Exception):
    """The broker refuses this bridge."""


class Session:
    """Begins when it is made; paho connects again by itself. Its thread calls into the loop."""

    def __init__(self, broker: Broker, asks: Asks, began: Callable[[], None]) -> None:
        """`began` is called where the broker knows of no session. Raises DataError where the
        answers would come in again as messages."""
        bridge = asks.bridge
        example = bridge.topic.replace("+", "x").replace("#", "x")
        if topic_matches_sub(bridge.topic, bridge.answers.replace("{topic}", example)):
            raise DataError(f"the answers to {bridge.answers} would match the topic {bridge.topic}")
        self._bridge = bridge
        self._counts = asks.counts
        self._began = began
        self._client_id = broker.client_id
        self._told = False
        self._left = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[None] = self._loop.create_future()
        self._connections = 0
        self._arrived: list[Delivery] = []
        self._news = asyncio.Event()
        self._publishing: dict[int, asyncio.Future[None]] = {}
        self._client = client = Client(
            CallbackAPIVersion.VERSION2,
            broker.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
        )
        client.on_connect = self._connected
        client.on_connect_fail = self._not_connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._subscribed
        client.on_message = self._came
        client.on_publish = self._published
        client.max_inflight_messages_set(UNACKNOWLEDGED)
        client.reconnect_delay_set(1, 5)
        if broker.username is not None:
            client.username_pw_set(broker.username, broker.password)
        if broker.tls is not None:
            client.tls_set_context(broker.tls)
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = FOR_EVER
        properties.ReceiveMaximum = UNACKNOWLEDGED
        client.connect_async(broker.host, broker.port, clean_start=False, properties=properties)
        client.loop_start()

    async def close(self) -> None:
        """Leave; the broker keeps the session, and what comes for it. A broker that does not answer
        is not waited for: paho's thread ends with its connection, or with this process."""
        connected = self._client.is_connected()
        self._left.clear()
        self._client.disconnect()
        if connected:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE):
                    await self._left.wait()
        if not self.failed.cancel() and not self.failed.cancelled():
            self.failed.exception()  # whoever has closed it has heard of it

    async def deliveries(self) -> list[Delivery]:
        """What has come since the last call; waits until something has."""
        while not self._arrived:
            self._news.clear()
            await self._news.wait()
        arrived, self._arrived = self._arrived, []
        return arrived

    def acknowledge(self, deliveries: Sequence[Delivery]) -> None:
        """The broker need keep these no longer. What came on an earlier connection it sends again:
        acknowledged twice, it would make the broker send more than was agreed."""
        for each in deliveries:
            if each.packet and each.connection == self._connections:
                self._client.ack(each.packet, 1)

    async def publish(self, answers: Sequence[tuple[str, bytes]]) -> None:
        """Answers to the messages of topics, until the broker has all of them."""
        waiting = []
        for topic, body in answers:
            info = self._client.publish(self._bridge.answers.replace("{topic}", topic), body, 1)
            waiting.append(self._loop.create_future())
            self._publishing[info.mid] = waiting[-1]
        await asyncio.gather(*waiting)

    def _connected(
        self, client: Client, data: Any, flags: ConnectFlags, code: ReasonCode, properties: Any
    ) -> None:
        if code.value in PASSING:
            return LOGGER.warning("the broker refuses the connection for now: %s", code)
        if code.is_failure:
            return self._fail(f"the broker refuses the connection: {code}")
        LOGGER.info("connected; the broker %s", "knows us" if flags.session_present else "is new")
        self._connections += 1
        self._call(self._connect)
        if not flags.session_present:
            self._call(self._began)
        options = SubscribeOptions(qos=1, retainHandling=NO_RETAINED)
        client.subscribe(self._bridge.topic, options=options)

    def _not_connected(self, client: Client, data: Any) -> None:
        LOGGER.warning("the broker does not answer at %s:%d", client.host, client.port)

    def _disconnected(
        self, client: Client, data: Any, flags: DisconnectFlags, code: ReasonCode, properties: Any
    ) -> None:
        self._call(self._left.set)
        if (why := ENDING.get(code.value)) is not None:
            self._fail(why.format(self._client_id))

    def _subscribed(
        self, client: Client, data: Any, mid: int, codes: list[ReasonCode], properties: Any
    ) -> None:
        if codes[0].is_failure or codes[0].value < 1:
            self._fail(f"the broker does not give {self._bridge.topic} with QoS 1: {codes[0]}")

    def _came(self, client: Client, data: Any, message: MQTTMessage) -> None:
        packet = message.mid if message.qos else 0
        payload = bytes(message.payload)
        delivery = Delivery(packet, message.dup, message.topic, payload, self._connections)
        self._call(self._arrive, delivery)

    def _connect(self) -> None:
        """What had come before and is not taken is not acknowledged: it comes again."""
        self._arrived = [each for each in self._arrived if not each.packet]

    def _arrive(self, delivery: Delivery) -> None:
        if not delivery.packet and not self._told:
            LOGGER.warning("%s has QoS 0: the journal keeps what arrives", delivery.topic)
            self._told = True
        if not delivery.packet and len(self._arrived) >= UNKEPT:
            self._counts.dropped += 1
            return
        self._arrived.append(delivery)
        self._news.set()

    def _published(
        self, client: Client, data: Any, mid: int, code: ReasonCode, properties: Any
    ) -> None:
        if code.is_failure:
            return self._fail(f"the broker refuses an answer: {code}")
        self._call(self._out, mid)

    def _out(self, mid: int) -> None:
        future = self._publishing.pop(mid)
        if not future.done():
            future.set_result(None)

    def _fail(self, why: str) -> None:
        def fail() -> None:
            if not self.failed.done():
                self.failed.set_exception(SessionError(why))

        self._call(fail)

    def _call(self, what: Callable[..., None], *arguments: Any) -> None:
        """From paho's thread; the loop may have ended before it."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(what, *arguments)
