"""Replicas on one store: whatever fails in whatever order, each step counts once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import ClassVar, TypeVar

import numpy as np
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from larnn_service.chunk import Chunk
from larnn_service.engine.engine import Engine
from larnn_service.engine.store.interface import Outcome
from larnn_service.engine.streams.advance import Advanced
from larnn_service.engine.streams.checkpoint import Checkpoint
from larnn_service.engine.streams.places import Places
from larnn_service.engine.streams.registry import Streams
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import Expired, Moved, ServiceError
from larnn_service.interfaces import Model
from larnn_service.settings import Settings
from larnn_service.stream_ids import StreamIds
from tests.awaited import advance
from tests.engine.bench import MANIFEST, Sums
from tests.served import served
from tests.versions import SharedStore

T = TypeVar("T")
STEPS = 60
SIGNAL = np.random.default_rng(0).integers(0, 9, size=(STEPS, 2)).astype(np.float32)
TRUTH = np.concatenate([SIGNAL.cumsum(0), np.arange(1, STEPS + 1)[:, None]], axis=1)
GARBAGE = np.full((3, 2), 99, dtype=np.float32)
REPLICAS = 2


class UnfencedStore(SharedStore):
    """Whoever comes last writes."""

    async def save(self, checkpoint: Checkpoint) -> Outcome:
        head = await self.head(checkpoint.stream)
        return await super().save(replace(checkpoint, fence=head.fence if head else 0))


class Replicas(RuleBasedStateMachine):
    """A client with its own count of answers, replicas that die and doze, one store."""

    store_of_all: ClassVar[type[SharedStore]] = SharedStore

    @initialize(steps=st.sampled_from([1, 4, 1000]))
    def begin(self, steps: int) -> None:
        self.runner = asyncio.Runner()
        self.checkpoint_steps = steps
        self.now = 0.0
        self.store = self.store_of_all()
        self.replicas = [self.replica() for _ in range(REPLICAS)]
        self.stream = self.do(self.replicas[0].open(self.replicas[0].model(None)))
        self.at = 0
        self.dozing: list[tuple[int, Stream]] = []
        """Streams that another replica has taken over, and their owners of the past."""
        self.answered = 0
        self.acked = 0
        self.durable = 0

    def teardown(self) -> None:
        """In the end the client sends what is left, also what it has answers for and a replica took
        along when it died; and nothing was lost or counted twice."""
        if not hasattr(self, "stream"):
            return
        try:
            self.reconnect(0)
            while min(self.answered, self.stream.checkpoint.position) < STEPS:
                self.send(7, 0)
            assert self.stream.checkpoint.state["seen"] == STEPS
        finally:
            for engine in self.replicas:
                engine.close()
            self.runner.close()

    def replica(self) -> Engine:
        models = served(Model(MANIFEST, Sums()))
        streams = Streams(
            self.store,
            StreamIds("of all"),
            models,
            Places(10),
            idle_timeout=60,
            checkpoint_steps=self.checkpoint_steps,
            checkpoint_interval=1e6,
            clock=lambda: self.now,
        )
        return Engine(models, streams, Settings(model="toy", concurrency=1))

    def do(self, work: Awaitable[T]) -> T:
        async def run() -> T:
            return await work

        return self.runner.run(run())

    def advance(self, stream: Stream, chunk: Chunk, settled: bool = False) -> Awaitable[Advanced]:
        return advance(self.replicas[self.at], stream, chunk, settled=settled)

    @rule(replica=st.integers(0, REPLICAS - 1))
    def reconnect(self, replica: int) -> None:
        before, was = self.stream, self.at
        self.stream = self.do(self.replicas[replica].resume(before.id))
        self.at = replica
        if before.checkpoint.fence < self.stream.checkpoint.fence:
            self.dozing.append((was, before))
        assert self.stream.checkpoint.position >= self.durable
        assert self.stream.durable >= self.durable

    @rule(steps=st.integers(1, 9), back=st.integers(0, 5), settled=st.booleans())
    def send(self, steps: int, back: int, settled: bool = False) -> None:
        """Any chunk whose steps follow on what the stream has, some of them perhaps again."""
        chunk = self.chunk(steps, back)
        offset = chunk.offset
        if offset == STEPS:
            return
        try:
            answer = self.do(self.advance(self.stream, chunk, settled=settled))
        except (Moved, Expired):
            assert self.stream.lost is not None
            return self.reconnect(self.at)
        assert (answer.outputs == TRUTH[offset : chunk.end]).all()
        assert answer.position == chunk.end
        assert self.durable <= answer.durable
        assert not settled or answer.durable >= chunk.end
        self.answered = max(self.answered, chunk.end)
        self.durable = answer.durable

    @rule(steps=st.integers(1, 9), replica=st.integers(0, REPLICAS - 1))
    def send_and_lose_the_answer(self, steps: int, replica: int) -> None:
        if (chunk := self.chunk(steps)).offset < STEPS:
            work = self.advance(self.stream, chunk)
            try:
                self.do(work)
            except (Moved, Expired):
                assert self.stream.lost is not None
        self.reconnect(replica)

    @precondition(lambda self: self.dozing)
    @rule(data=st.data())
    def wake_an_owner_of_the_past(self, data: st.DataObject) -> None:
        """It runs other steps, which would show, and tries to store them."""
        replica, stream = data.draw(st.sampled_from(self.dozing))
        position = stream.checkpoint.position
        try:
            chunk = Chunk(position, GARBAGE)
            self.do(advance(self.replicas[replica], stream, chunk, settled=True))
        except (Moved, Expired):
            return
        raise AssertionError("an owner of the past has written")

    @rule(replica=st.integers(0, REPLICAS - 1))
    def kill(self, replica: int) -> None:
        self.replicas[replica].close()
        self.replicas[replica] = self.replica()
        if replica == self.at:
            self.reconnect(1 - replica)
            self.dozing.pop()  # it is dead
        self.dozing = [(owner, stream) for owner, stream in self.dozing if owner != replica]

    @rule(replica=st.integers(0, REPLICAS - 1))
    def rest(self, replica: int) -> None:
        self.now += 61
        self.do(self.replicas[replica].streams.rest_idle())

    @rule()
    def write(self) -> None:
        self.do(self.replicas[self.at].streams.checkpoints.write_all([self.stream]))

    def chunk(self, steps: int, back: int = 0) -> Chunk:
        """As a client sends it: from where the stream stands, or from where answers are missing.

        It keeps the right to ask for the last five answers again, and asks for none that it has
        acknowledged.
        """
        latest = min(self.stream.checkpoint.position, self.answered)
        offset = max(latest - back, min(latest, self.acked))
        acked = min(offset, max(0, self.answered - 5))
        self.acked = max(self.acked, acked)
        return Chunk(offset, SIGNAL[offset : offset + steps], acked)


class Unfenced(Replicas):
    store_of_all = UnfencedStore


def test_without_the_check_of_fences_the_same_machine_fails() -> None:
    """The control. No shrinking: that it fails is enough."""
    quick = settings(max_examples=200, phases=[Phase.generate], database=None)
    quick = settings(quick, report_multiple_bugs=False)
    with pytest.raises((AssertionError, ServiceError)):  # it fails again where it ends
        run_state_machine_as_test(Unfenced, settings=quick)


TestReplicas = Replicas.TestCase
TestReplicas.settings = settings(max_examples=60, stateful_step_count=40)
