"""One key of a partition: its records through one stream, in order, each step once."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

from larnn_cli.bridge.asks import Asks
from larnn_cli.bridge.item import MOST_STEPS, Item, fitting, repeated, told_of
from larnn_cli.bridge.payloads import BadPayload
from larnn_cli.bridge.records import Answer, Place, Record
from larnn_client import (
    AsyncStream,
    BadInput,
    BufferFull,
    Conflict,
    Expired,
    Forbidden,
    Internal,
    LarnnError,
    Prediction,
    ProtocolError,
    StateLost,
    TooLarge,
    Unauthorized,
    Unknown,
    UnknownModel,
)

LOGGER = logging.getLogger("larnn.bridge")
HOPELESS = (Unauthorized, Forbidden, UnknownModel, Conflict, ProtocolError)
"""No later attempt succeeds: the bridge ends."""
GONE = (Expired, StateLost, Unknown)
AGAIN = 1.0
"""Seconds until the next attempt, and between looks at what is durable."""
MOST_FAILURES = 5
"""Runs of one record that may fail in the service until it is refused."""


class Lane:
    """The task `run` holds a connection while there are records, and begins again where it broke:
    from `place`, behind which everything is durable and published."""

    def __init__(
        self, asks: Asks, place: Place, answered: int, answer: Callable[[Item, Answer], None]
    ) -> None:
        """Records up to offset `answered` have been answered already: these are run again, and not
        told again. `answer` takes each new answer, and `published` is called when it is out."""
        self.place = place
        self._asks = asks
        self._answered = answered
        self._answer = answer
        self._items: deque[Item] = deque()
        self._sent = self._heard = 0
        """Of the items, on this connection."""
        self._kept = place.position
        """Where a bridge that knows what is committed alone would go on: answers behind it may be
        asked for again."""
        self._settled: deque[Place] = deque()
        """Places on the way from there to `place`."""
        self._stream: AsyncStream | None = None
        self._opened = False
        self._durable = 0
        self._sequence = place.sequence
        self._failures = 0
        """Runs in a row that failed."""
        self._wake = asyncio.Event()

    @property
    def held(self) -> int | None:
        """The offset of the first record that is not durable or not published."""
        return self._items[0].record.offset if self._items else None

    @property
    def length(self) -> int:
        """Records on their way."""
        return len(self._items)

    def take(self, record: Record) -> None:
        """The next record; one before the place has been counted, and is passed over."""
        if record.offset < self.place.offset:
            return
        known = record.offset <= self._answered
        self._items.append(Item(record, answered=known, published=known))
        self._wake.set()

    def published(self) -> None:
        """Answers are at the broker."""
        self._settle()
        self._wake.set()

    def committed(self, before: int) -> None:
        """Records before this offset will not come again: the service need not keep answers that
        only they would ask for."""
        while self._settled and self._settled[0].offset <= before:
            self._kept = self._settled.popleft().position
        if self._stream is not None:
            self._stream.acknowledge(self._kept)

    async def run(self) -> None:
        """Until all records are settled and none has come for a while. Raises what is hopeless."""
        while self._items:
            try:
                async with self._asks.seats.seat(), self._connection() as stream:
                    await self._converse(stream)
            except HOPELESS:
                raise
            except GONE as error:
                self._begin_anew(error)
            except (BadInput, TooLarge) as error:
                if not self._opened:
                    raise
                await self._refuse(error)
            except Internal as error:
                self._failures += 1
                refused = self._failures >= MOST_FAILURES
                await (self._refuse(error) if refused else self._again(error))
            except LarnnError as error:
                await self._again(error)

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[AsyncStream]:
        """The stream, from `place` on; it lives on."""
        asks, place = self._asks, self.place
        which = {"model": asks.bridge.model}
        if place.stream is not None:
            which = {"resume": place.stream}
        self._sent = self._heard = 0
        self._opened, self._sequence = False, place.sequence
        for item in self._items:
            item.begin_again()
        opening = asks.client.stream(
            **which,  # type: ignore[arg-type]
            position=None if place.stream is None else place.position,
            logits=asks.bridge.logits,
            outputs=asks.bridge.outputs,
            max_buffered_steps=MOST_STEPS,
        )
        opening.keep_answers(self._kept)
        asks.counts.streams += 1
        try:
            async with opening as stream:
                self.place = replace(place, stream=stream.id)
                self._stream, self._durable = stream, stream.opened.durable
                self._opened = True
                try:
                    yield stream
                finally:
                    self._stream = None
                    await stream.close()
        finally:
            asks.counts.streams -= 1

    async def _converse(self, stream: AsyncStream) -> None:
        """Records out and answers in, until nothing is left for a while."""
        while True:
            self._wake.clear()
            self._send(stream)
            if self._heard < self._sent:
                self._hear(stream, await stream.receive())
            elif await self._rest(stream):
                return

    async def _rest(self, stream: AsyncStream) -> bool:
        """Wait for records, or until what is answered is durable; whether to go."""
        if not self._items:
            with contextlib.suppress(TimeoutError), self._asks.seats.idle(self._wake):
                async with asyncio.timeout(self._asks.bridge.idle):
                    await self._wake.wait()
            return not self._items
        try:
            async with asyncio.timeout(AGAIN):
                await self._wake.wait()
        except TimeoutError:
            where = await self._asks.client.where(stream.id)
            self._durable = max(self._durable, where.durable)
            self._settle()
            return self._sent < len(self._items)  # the client holds too much: begin from the place
        return False

    def _send(self, stream: AsyncStream) -> None:
        """Everything that can go now; what holds no steps is answered in its turn."""
        while self._sent < len(self._items):
            item = self._items[self._sent]
            if item.error is None:
                try:
                    self._send_one(stream, item)
                except BufferFull:
                    break
            self._sent += 1
        self._hear_errors(stream)

    def _send_one(self, stream: AsyncStream, item: Item) -> None:
        asks, unread = self._asks, stream.unread
        try:
            found = fitting(item.record, asks.bridge, asks.width)
            if repeated(found.sequence, self._sequence):
                item.error = {"code": "repeated", "error": f"{found.sequence} has come before"}
                return
            end = stream.send(found.steps)
        except (BadPayload, BadInput, TooLarge) as error:
            item.error = told_of(error)
            return
        if found.sequence is not None:
            self._sequence = found.sequence
        item.awaited = stream.unread - unread
        item.place = Place(stream.id, end, item.record.offset + 1, self._sequence)

    def _hear(self, stream: AsyncStream, prediction: Prediction) -> None:
        self._durable = max(self._durable, prediction.durable)
        self._failures = 0
        item = self._items[self._heard]
        if item.hear(prediction, self._asks.bridge):
            self._tell(item)
            self._hear_errors(stream)

    def _hear_errors(self, stream: AsyncStream) -> None:
        """Answer the items that count no step and whose turn it is."""
        while self._heard < self._sent and self._items[self._heard].error is not None:
            item = self._items[self._heard]
            item.place = replace(self._before, stream=stream.id, offset=item.record.offset + 1)
            self._tell(item)
        self._settle()

    def _tell(self, item: Item) -> None:
        assert item.place is not None
        steps = item.place.position - self._before.position
        self._heard += 1
        counts = self._asks.counts
        if item.answered:
            return
        item.answered = True
        if item.error is not None and item.error["code"] == "repeated":
            counts.repeated += 1
            item.published = True  # its answer was given the first time
            return
        counts.steps += steps
        counts.errors += item.error is not None
        self._answer(item, Answer(item.record, item.place, item.answer, steps))

    @property
    def _before(self) -> Place:
        """The place before the next item to be heard."""
        before = self._items[self._heard - 1].place if self._heard else self.place
        assert before is not None
        return before

    def _settle(self) -> None:
        """Let go of what is durable and published; `place` moves behind it."""
        while self._heard and (item := self._items[0]).published:
            assert item.place is not None
            if item.place.position > self._durable:
                break
            self.place = item.place
            self._settled.append(item.place)
            self._items.popleft()
            self._sent -= 1
            self._heard -= 1

    async def _refuse(self, error: BadInput | TooLarge | Internal) -> None:
        """The service refused the first item that is not answered: it counts no step."""
        if error.expected_offset is not None or self._heard == len(self._items):
            return await self._again(error)  # it is not what the item holds
        self._failures = 0
        self._items[self._heard].error = told_of(error)

    async def _again(self, error: LarnnError) -> None:
        key = self._items[0].record.key if self._items else self.place.stream
        LOGGER.warning("%r: %s; again in %g s", key, error, AGAIN)
        await asyncio.sleep(AGAIN)

    def _begin_anew(self, error: LarnnError) -> None:
        """The stream is gone with its state: say so, and open another. What was answered and is not
        durable is answered again, by the new stream, so that its answers tell all it has taken."""
        LOGGER.warning("a stream was lost, and a new one begins at its state: %s", error)
        self._asks.counts.streams_lost += 1
        self.place = Place(None, 0, self.place.offset, self.place.sequence)
        self._answered = -1
        self._items = deque(Item(item.record) for item in self._items)
        self._sent = self._heard = self._kept = 0
        self._settled.clear()
