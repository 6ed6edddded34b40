"""The bridge to Kafka: partitions of a topic in, answers to another, offsets when durable."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    TopicPartition,
)
from aiokafka.errors import KafkaConnectionError, KafkaError

from larnn_cli.bridge.kafka_places import pack, recover
from larnn_cli.bridge.kafka_topics import Topics
from larnn_cli.bridge.lane import AGAIN, Asks
from larnn_cli.bridge.partition import Partition
from larnn_cli.bridge.records import Record

LOGGER = logging.getLogger("larnn.bridge")
COMMIT = 0.5
"""Seconds between commits of a partition."""
SNAPSHOT = 10_000
"""Answers between snapshots of a partition's places: so many are read when it is taken over."""
SESSION = 6_000
"""Milliseconds of silence after which another bridge takes a bridge's partitions."""
AT_ONCE = 500
"""Messages fetched at a time."""


class Held:
    """A partition that this bridge holds: its records, its answers, its offset."""

    def __init__(self, bridge: KafkaBridge, source: TopicPartition) -> None:
        self.source = source
        self._bridge = bridge
        self._committed = -1
        self._committed_at = 0.0
        self._answers: deque[tuple[int, int]] = deque()
        """Offset of each answer whose record is not committed, and the record's."""
        self._end = 0
        self._since_snapshot = 0

    async def open(self) -> None:
        """Learn the places, and go to the first record that is not committed."""
        began = time.monotonic()
        bridge, source = self._bridge, self.source
        committed = await bridge.consumer.committed(source)
        if committed is None:
            committed = (await bridge.consumer.beginning_offsets([source]))[source]
        topics = bridge.topics
        reader = AIOKafkaConsumer(
            enable_auto_commit=False, isolation_level="read_committed", **bridge.broker
        )
        await reader.start()
        try:
            found = await recover(
                reader,
                TopicPartition(topics.places, source.partition),
                TopicPartition(topics.answers, source.partition),
                committed,
            )
        finally:
            await reader.stop()
        self._end, self._answers = found.end, deque(found.answers)
        self.partition = Partition(bridge.asks, committed, found.places, found.answered)
        await self._snapshot()
        bridge.consumer.seek(source, committed)
        self._publishing = asyncio.create_task(self._publish())
        LOGGER.info(
            "partition %d from %d on, %d keys, after %.1f s",
            source.partition,
            committed,
            len(found.places),
            time.monotonic() - began,
        )

    async def close(self) -> None:
        """Let go of it: another bridge goes on from here."""
        self._publishing.cancel()
        await asyncio.wait({self._publishing})
        await self.partition.close()
        try:
            await self.commit(at_once=True)
            await self._snapshot()
        except KafkaError as error:
            LOGGER.warning("partition %d: no last commit: %s", self.source.partition, error)

    def check(self) -> None:
        """Raises what ended a lane or the publishing for good."""
        for task in (self.partition.failed, self._publishing):
            if task.done():
                task.result()

    async def commit(self, *, at_once: bool = False) -> None:
        """Tell the broker up to where everything is durable and answered. Raises KafkaError."""
        settled, now = self.partition.settled, time.monotonic()
        if settled <= self._committed or (now - self._committed_at < COMMIT and not at_once):
            return
        await self._bridge.consumer.commit({self.source: settled})
        self._committed, self._committed_at = settled, now
        self.partition.committed(settled)
        while self._answers and self._answers[0][1] < settled:
            self._answers.popleft()
        if self._since_snapshot >= SNAPSHOT:
            await self._snapshot()

    async def _publish(self) -> None:
        """Bring answers to the broker as they come; then the service need not keep them."""
        topics, producer = self._bridge.topics, self._bridge.producer
        while True:
            ready = await self.partition.answers()
            offsets = await send(
                producer,
                TopicPartition(topics.answers, self.source.partition),
                [(answer.record.key, answer.body()) for _, _, answer in ready],
            )
            for offset, (_, _, answer) in zip(offsets, ready, strict=True):
                self._answers.append((offset, answer.record.offset))
            self._end = offsets[-1] + 1
            self._since_snapshot += len(offsets)
            self.partition.published(ready)

    async def _snapshot(self) -> None:
        first = self._answers[0][0] if self._answers else self._end
        target = TopicPartition(self._bridge.topics.places, self.source.partition)
        await send(self._bridge.producer, target, [(b"places", pack(self.partition.places, first))])
        self._since_snapshot = 0


async def send(
    producer: AIOKafkaProducer, target: TopicPartition, records: Sequence[tuple[bytes, bytes]]
) -> list[int]:
    """Keys and values, in order, until the broker has all of them; their offsets."""
    offsets: list[int] = []
    while len(offsets) < len(records):
        try:
            sent = [
                await producer.send(target.topic, value, key=key, partition=target.partition)
                for key, value in records[len(offsets) :]
            ]
            for each in sent:
                offsets.append((await each).offset)
        except KafkaError as error:
            LOGGER.warning("the broker does not take answers: %r; again in %g s", error, AGAIN)
            await asyncio.sleep(AGAIN)
    return offsets


class KafkaBridge(ConsumerRebalanceListener):  # type: ignore[misc]  # it has no types
    """A member of the consumer group `group`."""

    def __init__(self, asks: Asks, broker: Mapping[str, Any], group: str) -> None:
        """`broker` has the address and what aiokafka's classes take to reach it."""
        self.asks = asks
        self.broker = broker
        bridge = asks.bridge
        self.topics = Topics(bridge.topic, bridge.answers, f"{bridge.answers}.{group}.places")
        self._group = group
        self._held: dict[TopicPartition, Held] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Until told to stop. Raises KafkaError, LarnnError."""
        await self.topics.prepare(self.broker)
        self.consumer = AIOKafkaConsumer(
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
            session_timeout_ms=SESSION,
            heartbeat_interval_ms=SESSION // 6,
            **self.broker,
        )
        self.producer = await producer_of(self.broker)
        try:
            self.consumer.subscribe([self.topics.source], listener=self)
            await self.consumer.start()
            while not stop.is_set():
                await self._once()
        finally:
            await self._let_go(list(self._held))
            await self.consumer.stop()
            await self.producer.stop()

    async def _once(self) -> None:
        for source, records in (
            await self.consumer.getmany(timeout_ms=100, max_records=AT_ONCE)
        ).items():
            if (held := self._held.get(source)) is not None:
                for record in records:
                    key, value = record.key or b"", record.value or b""
                    held.partition.take(Record(record.offset, key, value))
        for held in list(self._held.values()):
            held.check()
            try:
                await held.commit()
            except KafkaError as error:
                LOGGER.warning("no commit for now: %r", error)
        self._hold_back()

    def _hold_back(self) -> None:
        """Fetch no more of a partition whose messages are not through, until half of them are."""
        counts, most = self.asks.counts, self.asks.bridge.max_waiting
        paused, counts.waiting = self.consumer.paused(), 0
        for source, held in self._held.items():
            waiting = held.partition.on_their_way
            counts.waiting += waiting
            if source not in paused and waiting >= most:
                self.consumer.pause(source)
            elif source in paused and waiting <= most // 2:
                self.consumer.resume(source)
        counts.paused = len(self.consumer.paused())

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Partitions are this bridge's from now on."""
        for source in sorted(assigned):
            held = Held(self, source)
            await held.open()
            self._held[source] = held

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Partitions go to another bridge."""
        await self._let_go([source for source in revoked if source in self._held])

    async def _let_go(self, sources: Sequence[TopicPartition]) -> None:
        leaving = [self._held.pop(source) for source in sources]
        await asyncio.gather(*(held.close() for held in leaving))


async def producer_of(broker: Mapping[str, Any]) -> AIOKafkaProducer:
    """One that repeats nothing where a connection breaks, if the broker knows such producers."""
    producer = AIOKafkaProducer(enable_idempotence=True, max_request_size=2**24, **broker)
    try:
        await producer.start()
    except KafkaConnectionError:
        await producer.stop()
        raise
    except KafkaError:
        await producer.stop()
        LOGGER.warning("the broker has no idempotent producers: answers may come twice")
        producer = AIOKafkaProducer(acks="all", max_request_size=2**24, **broker)
        await producer.start()
    return producer
