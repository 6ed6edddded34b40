"""The bridge to Kafka: partitions of a topic in, answers to another, offsets when durable."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from aiokafka import (
    AIOKafkaConsumer,
    AIOKafkaProducer,
    ConsumerRebalanceListener,
    TopicPartition,
)
from aiokafka.errors import (
    KafkaConnectionError,
    KafkaError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from larnn_cli.bridge.asks import Asks
from larnn_cli.bridge.kafka_partition import Held, Link, passes
from larnn_cli.bridge.kafka_topics import Topics
from larnn_cli.bridge.lane import AGAIN
from larnn_cli.bridge.records import Record
from larnn_export.data import DataError

LOGGER = logging.getLogger("larnn.bridge")
SESSION = 6_000
"""Milliseconds of silence after which another bridge takes a bridge's partitions."""
AT_ONCE = 500
"""Messages fetched at a time."""
END = 2.0
"""Seconds for leaving the group, and for leaving the broker."""


class KafkaBridge(ConsumerRebalanceListener):  # type: ignore[misc]  # it has no types
    """A member of the consumer group `group`."""

    def __init__(self, asks: Asks, broker: Mapping[str, Any], group: str) -> None:
        """`broker` has the address and what aiokafka's classes take to reach it."""
        self._asks = asks
        self._broker = broker
        self._topics = Topics(asks.bridge.topic, asks.bridge.answers, group)
        self._group = group
        self._held: dict[TopicPartition, Held] = {}
        self._new: set[TopicPartition] = set()
        """Assigned and not opened yet."""
        self._turn = asyncio.Lock()
        """Of who opens, tends or closes what is held: the loop, or a rebalance."""

    async def run(self) -> None:
        """Until cancelled. Raises KafkaError, DataError, LarnnError."""
        await self._topics.prepare(self._broker)
        consumer = AIOKafkaConsumer(
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",  # a partition's first offset is sought when it is opened
            isolation_level="read_committed",
            session_timeout_ms=SESSION,
            heartbeat_interval_ms=SESSION // 6,
            **self._broker,
        )
        producer = await producer_of(self._broker)
        self._link = Link(self._asks, self._topics, self._broker, consumer, producer)
        try:
            consumer.subscribe([self._topics.source], listener=self)
            await consumer.start()
            while True:
                await self._once()
        finally:
            await self._leave()

    async def _once(self) -> None:
        async with self._turn:
            await self._open()
        for source, records in (await self._fetched()).items():
            if (held := self._held.get(source)) is not None:
                for record in records:
                    key, value = record.key or b"", record.value or b""
                    held.partition.take(Record(record.offset, key, value))
        async with self._turn:
            for held in self._held.values():
                await held.tend()
            self._hold_back()

    async def _open(self) -> None:
        """Take over what is assigned; what the broker cannot tell now is asked again."""
        for source in sorted(self._new):
            held = Held(self._link, source)
            try:
                await held.open()
            except KafkaError as error:
                if not passes(error):
                    raise
                LOGGER.warning("partition %d: %r; again in %g s", source.partition, error, AGAIN)
                return await asyncio.sleep(AGAIN)
            self._new.discard(source)
            self._held[source] = held

    async def _fetched(self) -> dict[TopicPartition, list[Any]]:
        """What has come; of a partition that is not opened yet nothing can."""
        try:
            return dict(await self._link.consumer.getmany(timeout_ms=100, max_records=AT_ONCE))
        except NoOffsetForPartitionError:
            LOGGER.debug("a partition is assigned, and not opened yet")
        except OffsetOutOfRangeError as error:
            async with self._turn:
                await self._out_of_range(error.args[0])
        except KafkaError as error:
            if not passes(error):
                raise
            LOGGER.warning("nothing comes for now: %r", error)
        return {}

    async def _out_of_range(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Partitions whose next record is gone are opened again at the first that the broker keeps.
        Raises DataError where there is no later one."""
        beginnings = await self._link.consumer.beginning_offsets(list(offsets))
        for source, offset in offsets.items():
            if offset > beginnings[source]:
                raise DataError(
                    f"partition {source.partition} of {source.topic} has no offset {offset}, up to "
                    "which it was read: the topic was made anew; name another --group"
                )
        gone = self._held.keys() & offsets.keys()
        await self._let_go(gone)
        self._new |= gone

    def _hold_back(self) -> None:
        """Fetch no more of a partition whose messages are not through, until half of them are."""
        consumer, counts = self._link.consumer, self._asks.counts
        most, paused, counts.waiting = self._asks.bridge.max_waiting, consumer.paused(), 0
        for source, held in self._held.items():
            waiting = held.partition.on_their_way
            counts.waiting += waiting
            if source not in paused and waiting >= most:
                consumer.pause(source)
            elif source in paused and waiting <= most // 2:
                consumer.resume(source)
        counts.paused = len(consumer.paused())

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Partitions are this bridge's from now on: the loop opens them, and raises what fails."""
        self._new = set(assigned)

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Partitions go to another bridge."""
        async with self._turn:
            self._new.clear()
            await self._let_go(self._held.keys() & set(revoked))

    async def _let_go(self, sources: Iterable[TopicPartition]) -> None:
        leaving = [self._held.pop(source) for source in list(sources)]
        await asyncio.gather(*(held.close() for held in leaving))

    async def _leave(self) -> None:
        """Within a bounded time: where the broker is away, what is on its way comes again."""
        await self._let_go(self._held)
        for leaving in (self._link.consumer, self._link.producer):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(END):
                    await leaving.stop()


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
