"""The records of one partition on their way: a lane for each key, and what is ready to publish."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from larnn_cli.bridge.asks import Asks
from larnn_cli.bridge.item import Item
from larnn_cli.bridge.lane import Lane
from larnn_cli.bridge.records import Answer, Place, Record

LOGGER = logging.getLogger("larnn.bridge")


class Partition:
    """Knows no broker: one gives it records by `take`, and fetches answers from `answers`."""

    def __init__(
        self, asks: Asks, first: int, places: Mapping[bytes, Place], answered: Mapping[bytes, int]
    ) -> None:
        """Records come from offset `first` on; `answered` has the last offset of each key that has
        been answered beyond its place."""
        self.next = first
        """The offset behind the last record that came."""
        self._asks = asks
        self._places = dict(places)
        self._answered = dict(answered)
        self._lanes: dict[bytes, Lane] = {}
        self._tasks: dict[bytes, asyncio.Task[None]] = {}
        self._ready: list[tuple[Lane, Item, Answer]] = []
        self._news = asyncio.Event()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Has the exception of what is hopeless."""

    def take(self, record: Record) -> None:
        """The next record."""
        self.next = record.offset + 1
        self._asks.counts.messages += 1
        lane = self._lanes.get(record.key)
        if lane is None:
            place = self._places.get(record.key, Place(offset=record.offset))
            answered = self._answered.get(record.key, -1)
            lane = Lane(self._asks, place, answered, lambda item, answer: self._tell(item, answer))
            self._lanes[record.key] = lane
        lane.take(record)
        if record.key not in self._tasks and lane.length:
            self._start(record.key, lane)

    def _start(self, key: bytes, lane: Lane) -> None:
        task = self._tasks[key] = asyncio.create_task(lane.run())
        task.add_done_callback(lambda done: self._stopped(key, lane, done))

    def _stopped(self, key: bytes, lane: Lane, task: asyncio.Task[None]) -> None:
        del self._tasks[key]
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            if not self.failed.done():
                self.failed.set_exception(error)
        elif lane.length:
            self._start(key, lane)

    def _tell(self, item: Item, answer: Answer) -> None:
        self._ready.append((self._lanes[item.record.key], item, answer))
        self._news.set()

    async def answers(self) -> list[tuple[Lane, Item, Answer]]:
        """What is ready to publish; waits until something is."""
        while not self._ready:
            self._news.clear()
            await self._news.wait()
        ready, self._ready = self._ready, []
        return ready

    def published(self, ready: list[tuple[Lane, Item, Answer]]) -> None:
        """The broker has these answers."""
        for _, item, _ in ready:
            item.published = True
        self._asks.counts.answers += len(ready)
        for lane in {lane for lane, _, _ in ready}:
            lane.published()

    def committed(self, before: int) -> None:
        """Records before this offset will not come again, whatever happens. Of a key that has had
        none for a while its place alone is kept."""
        for key, lane in list(self._lanes.items()):
            lane.committed(before)
            if key not in self._tasks and not lane.length and lane.place.offset <= before:
                self._places[key] = lane.place
                del self._lanes[key]

    @property
    def places(self) -> dict[bytes, Place]:
        """Of every key: where it would go on."""
        return self._places | self.moving

    @property
    def moving(self) -> dict[bytes, Place]:
        """Of the keys whose records came of late: where they would go on."""
        return {key: lane.place for key, lane in self._lanes.items()}

    @property
    def settled(self) -> int:
        """Records before this offset are durable and answered."""
        held = [lane.held for lane in self._lanes.values() if lane.held is not None]
        return min(held, default=self.next)

    @property
    def on_their_way(self) -> int:
        """Records that are not settled."""
        return sum(lane.length for lane in self._lanes.values())

    async def close(self) -> None:
        """Drop the connections; the streams live on."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        for error in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(error, Exception):
                LOGGER.error("a stream ended with %r", error)
        if not self.failed.cancel() and not self.failed.cancelled():
            self.failed.exception()  # whoever has closed it has heard of it
