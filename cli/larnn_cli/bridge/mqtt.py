"""The bridge to MQTT: messages into a journal, through streams, and answers to topics."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from larnn_cli.bridge.asks import Asks
from larnn_cli.bridge.journal import Delivery, Journal
from larnn_cli.bridge.mqtt_session import Session
from larnn_cli.bridge.partition import Partition
from larnn_cli.bridge.records import Place

COMMIT = 0.5
"""Seconds between writes of what is settled."""
AT_ONCE = 50
"""Answers published before the journal notes that the broker has them."""


@dataclass(frozen=True)
class Broker:
    """Where the broker is, and as whom to speak to it."""

    host: str
    port: int
    client_id: str | None = None
    """Of the session that it keeps for this bridge, and for no other; the journal's own, unless
    given."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None


class MqttBridge:
    """One session of the broker, one journal."""

    def __init__(self, asks: Asks, broker: Broker, journal: Path) -> None:
        self._asks = asks
        self._broker = broker
        self._path = journal
        self._settled: dict[bytes, Place] = {}

    async def run(self) -> None:
        """Until cancelled. Raises SessionError, DataError, LarnnError, OSError, sqlite3.Error."""
        with _opened(self._path) as journal:
            places, answered, records = journal.recover()
            first = records[0].offset if records else 0
            broker = replace(self._broker, client_id=self._broker.client_id or journal.client_id())
            session = Session(broker, self._asks, journal.new_session)
            partition = Partition(self._asks, first, places, answered)
            for record in records:
                partition.take(record)
            try:
                async with asyncio.TaskGroup() as group:
                    for task in (
                        self._take(session, journal, partition),
                        self._publish(session, journal, partition),
                        self._settle(journal, partition),
                        _failing(session.failed, partition.failed),
                    ):
                        group.create_task(task)
            except* Exception as errors:
                raise errors.exceptions[0] from None
            finally:
                await session.close()
                await partition.close()

    async def _take(self, session: Session, journal: Journal, partition: Partition) -> None:
        """Acknowledge what the journal has, and no more while too much is on its way."""
        counts, most = self._asks.counts, self._asks.bridge.max_waiting
        while True:
            deliveries: list[Delivery] = await session.deliveries()
            new = await asyncio.to_thread(journal.write, deliveries)
            counts.repeated += len(deliveries) - len(new)
            for record in new:
                partition.take(record)
            session.acknowledge(deliveries)
            while (waiting := partition.on_their_way) >= most:
                counts.waiting, counts.paused = waiting, 1
                await asyncio.sleep(COMMIT / 10)
            counts.waiting, counts.paused = waiting, 0

    async def _publish(self, session: Session, journal: Journal, partition: Partition) -> None:
        """Bring answers to the broker as they come, and note that it has them."""
        while True:
            ready = await partition.answers()
            for first in range(0, len(ready), AT_ONCE):
                some = ready[first : first + AT_ONCE]
                records = [answer.record for _, _, answer in some]
                bodies = [answer.body() for _, _, answer in some]
                topics = [record.key.decode() for record in records]
                await session.publish(list(zip(topics, bodies, strict=True)))
                await asyncio.to_thread(journal.answered, records)
                partition.published(some)

    async def _settle(self, journal: Journal, partition: Partition) -> None:
        """Keep in the journal what is not durable, and how far each key has come."""
        while True:
            await asyncio.sleep(COMMIT)
            places, settled = partition.moving, partition.settled
            moved = {key: each for key, each in places.items() if self._settled.get(key) != each}
            if moved:
                await asyncio.to_thread(journal.settle, moved, settled)
            self._settled = places
            partition.committed(settled)
            self._asks.counts.waiting = partition.on_their_way


async def _failing(*failures: asyncio.Future[None]) -> None:
    """Raises what one of them fails with."""
    done, _ = await asyncio.wait(failures, return_when=asyncio.FIRST_COMPLETED)
    for each in done:
        each.result()


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Journal]:
    journal = Journal(path)
    try:
        yield journal
    finally:
        journal.close()
