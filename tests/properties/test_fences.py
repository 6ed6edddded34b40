"""Whatever owners do in whatever order: only the newest writes, and what it wrote is there."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, multiple, rule

from larnn_service.engine.store.factory import open_store
from larnn_service.engine.store.interface import Head
from larnn_service.engine.streams.checkpoint import Checkpoint

T = TypeVar("T")
STREAM = "one"


def checkpoint(position: int, fence: int = 0) -> Checkpoint:
    logits = np.full((1, 3), position, np.float32)
    return Checkpoint(STREAM, "toy", 1, position, logits, {"seen": np.array(position)}, fence=fence)


class Fences(RuleBasedStateMachine):
    """One stream in a store; `newest` and `position` are what must hold of it, None: no stream."""

    address: ClassVar[str] = "memory"
    owners = Bundle("owners")

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.folder = tempfile.TemporaryDirectory()
        address = self.address.format(Path(self.folder.name) / "streams.db")
        self.store = open_store(address, ttl=600, timeout=30)
        self.store.prepare()
        self.newest: int | None = None
        self.position = 0

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.do(self.store.close())
            self.runner.close()
            self.folder.cleanup()

    def do(self, work: Awaitable[T]) -> T:
        async def run() -> T:
            return await work

        return self.runner.run(run())

    @rule(target=owners)
    def create(self) -> object:
        if self.newest is not None:
            return multiple()
        head = self.do(self.store.create(checkpoint(0)))
        assert isinstance(head, Head)
        self.newest, self.position = head.fence, 0
        return head.fence

    @rule(target=owners)
    def take(self) -> object:
        taken = self.do(self.store.take(STREAM))
        if self.newest is None:
            assert taken is None
            return multiple()
        assert taken is not None and taken.fence > self.newest
        assert taken.position == taken.outputs[0, 0] == taken.state["seen"] == self.position
        self.newest = taken.fence
        return taken.fence

    @rule(owner=owners, position=st.integers(0, 1000))
    def save(self, owner: int, position: int) -> None:
        outcome = self.do(self.store.save(checkpoint(position, owner)))
        if self.newest is None:
            assert outcome == "gone"
        elif owner == self.newest:
            assert outcome == "saved"
            self.position = position
        else:
            assert outcome == "moved"

    @rule()
    def delete(self) -> None:
        self.do(self.store.delete(STREAM))
        self.newest = None

    @rule()
    def look(self) -> None:
        loaded, head = self.do(self.store.load(STREAM)), self.do(self.store.head(STREAM))
        if self.newest is None:
            assert loaded is None and head is None
        else:
            assert loaded is not None and head is not None
            assert (loaded.position, loaded.fence, head.fence) == (
                self.position,
                self.newest,
                self.newest,
            )


class FencesOfSqlite(Fences):
    address = "sqlite:///{}"


TestMemory = Fences.TestCase
TestMemory.settings = settings(max_examples=60)
TestSqlite = FencesOfSqlite.TestCase
TestSqlite.settings = settings(max_examples=15)
