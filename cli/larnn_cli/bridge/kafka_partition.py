"""A partition of Kafka that a bridge holds: its records, its answers, its offset."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    MessageSizeTooLargeError,
)

from larnn_cli.bridge.asks import Asks
from larnn_cli.bridge.kafka_places import pack, recover
from larnn_cli.bridge.kafka_topics import Topics
from larnn_cli.bridge.lane import AGAIN
from larnn_cli.bridge.partition import Partition
from larnn_export.data import DataError

LOGGER = logging.getLogger("larnn.bridge")
COMMIT = 0.5
"""Seconds between commits of a partition."""
SNAPSHOT, SNAPSHOT_SECONDS = 10_000, 60.0
"""Answers, and seconds, between snapshots of a partition's places: what came since is read when
the partition is taken over."""
CLOSE = 2.0
"""Seconds for the last answers, commit and snapshot of a partition that goes to another bridge."""


@dataclass(frozen=True)
class Link:
    """What the partitions of one bridge share."""

    asks: Asks
    topics: Topics
    broker: Mapping[str, Any]
    """What aiokafka's classes take to reach it."""
    consumer: AIOKafkaConsumer
    producer: AIOKafkaProducer


class Held:
    """Opened before it takes records, and closed when the partition goes."""

    def __init__(self, link: Link, source: TopicPartition) -> None:
        self.source = source
        self._link = link
        self._committed = -1
        self._committed_at = self._snapshot_at = 0.0
        self._answers: deque[tuple[int, int]] = deque()
        """Offset of each answer whose record is not committed, and the record's."""
        self._end = 0
        self._since_snapshot = 0

    async def open(self) -> None:
        """Learn the places, and go to the first record that is not committed. Raises KafkaError,
        and DataError where answers are gone that tell the places."""
        began = time.monotonic()
        link, source = self._link, self.source
        committed = await self._first()
        reader = AIOKafkaConsumer(
            enable_auto_commit=False,
            isolation_level="read_committed",
            auto_offset_reset="none",
            **link.broker,
        )
        await reader.start()
        try:
            found = await recover(
                reader,
                TopicPartition(link.topics.places, source.partition),
                TopicPartition(link.topics.answers, source.partition),
                committed,
                link.topics.mark,
            )
        finally:
            await reader.stop()
        self._end, self._answers = found.end, deque(found.answers)
        self.partition = Partition(link.asks, committed, found.places, found.answered)
        try:
            await self._snapshot()
        except BaseException:
            await self.partition.close()
            raise
        link.consumer.seek(source, committed)
        self._publishing = asyncio.create_task(self._publish())
        LOGGER.info(
            "partition %d from %d on, %d keys, after %.1f s",
            source.partition,
            committed,
            len(found.places),
            time.monotonic() - began,
        )

    async def _first(self) -> int:
        """The first record that is not committed and that the broker keeps."""
        consumer, source = self._link.consumer, self.source
        beginning = int((await consumer.beginning_offsets([source]))[source])
        committed = await consumer.committed(source)
        if committed is not None and committed < beginning:
            lost = beginning - committed
            LOGGER.error("%s: the broker deleted %d offsets before they were read", source, lost)
        return max(committed or 0, beginning)

    async def close(self) -> None:
        """Let go of it: another bridge goes on from here. Raises nothing of the broker."""
        self._publishing.cancel()
        await asyncio.wait({self._publishing})
        await self.partition.close()
        try:
            async with asyncio.timeout(CLOSE):
                await self._link.producer.flush()
                await self._commit()
                await self._snapshot()
        except (KafkaError, TimeoutError) as error:
            LOGGER.warning("partition %d: no last commit: %r", self.source.partition, error)

    async def tend(self) -> None:
        """Commit and keep the places when it is time. Raises KafkaError that no attempt mends, and
        what ended a lane or the publishing for good."""
        for task in (self.partition.failed, self._publishing):
            if task.done() and not task.cancelled():
                task.result()
        now = time.monotonic()
        if now - self._committed_at >= COMMIT:
            self._committed_at = now
            try:
                await self._commit()
            except (CommitFailedError, IllegalStateError) as error:
                LOGGER.warning("partition %d goes elsewhere: %s", self.source.partition, error)
            except KafkaError as error:
                if not passes(error):
                    raise
                LOGGER.warning("no commit for now: %r", error)
        overdue = self._since_snapshot and now - self._snapshot_at >= SNAPSHOT_SECONDS
        if overdue or self._since_snapshot >= SNAPSHOT:
            await self._snapshot()

    async def _commit(self) -> None:
        """Tell the broker up to where everything is durable and answered."""
        if (settled := self.partition.settled) <= self._committed:
            return
        await self._link.consumer.commit({self.source: settled})
        self._committed = settled
        self.partition.committed(settled)
        while self._answers and self._answers[0][1] < settled:
            self._answers.popleft()

    async def _publish(self) -> None:
        """Bring answers to the broker as they come; then the service need not keep them."""
        topics = self._link.topics
        target = TopicPartition(topics.answers, self.source.partition)
        while True:
            ready = await self.partition.answers()
            records = [(answer.record.key, answer.body()) for _, _, answer in ready]
            offsets = await send(self._link.producer, target, records, topics.headers)
            for offset, (_, _, answer) in zip(offsets, ready, strict=True):
                self._answers.append((offset, answer.record.offset))
            self._end = offsets[-1] + 1
            self._since_snapshot += len(offsets)
            self.partition.published(ready)

    async def _snapshot(self) -> None:
        first = self._answers[0][0] if self._answers else self._end
        target = TopicPartition(self._link.topics.places, self.source.partition)
        body = pack(self.partition.places, first)
        self._since_snapshot, self._snapshot_at = 0, time.monotonic()
        try:
            await send(self._link.producer, target, [(b"places", body)])
        except DataError as error:
            LOGGER.error("a takeover reads all answers since the last snapshot: %s", error)


def passes(error: KafkaError) -> bool:
    """Whether the same may succeed later."""
    return bool(error.retriable) or isinstance(error, KafkaTimeoutError)


async def send(
    producer: AIOKafkaProducer,
    target: TopicPartition,
    records: Sequence[tuple[bytes, bytes]],
    headers: Sequence[tuple[str, bytes]] = (),
) -> list[int]:
    """Keys and values, in order, until the broker has all of them; their offsets. Raises DataError
    where one is larger than the broker takes, KafkaError where no attempt can succeed."""
    offsets: list[int] = []
    while len(offsets) < len(records):
        try:
            sent = [
                await producer.send(
                    target.topic, value, key=key, partition=target.partition, headers=list(headers)
                )
                for key, value in records[len(offsets) :]
            ]
            for each in sent:
                offsets.append((await each).offset)
        except MessageSizeTooLargeError as error:
            most = max(len(value) for _, value in records[len(offsets) :])
            raise DataError(
                f"{target.topic} does not take a record of {most} bytes: raise its "
                f"max.message.bytes, or ask for fewer outputs ({error})"
            ) from error
        except KafkaError as error:
            if not passes(error):
                raise
            LOGGER.warning("the broker does not take answers: %r; again in %g s", error, AGAIN)
            await asyncio.sleep(AGAIN)
    return offsets
