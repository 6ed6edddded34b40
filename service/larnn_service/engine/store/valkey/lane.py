"""The way to one server: what waits goes together, on few connections."""

from __future__ import annotations

import asyncio
import contextlib
import copy
from collections import deque
from collections.abc import Iterable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import RedisError

from larnn_service.engine.store.valkey.awaited import Awaited

TOGETHER = 128
"""Commands in one round trip at most."""


class TooFewReplicas(RedisError):
    """The server has the write, and too few others."""


@dataclass(frozen=True)
class Command:
    """Words for the server about one key."""

    key: str
    words: Sequence[Any]
    writes: bool = False


@dataclass
class _Waiting:
    command: Command
    asking: bool
    answer: asyncio.Future[Any]


class Lane:
    """Commands for one server, each with an answer. A write counts once it has its copies.

    While all connections are at work, what comes waits, and goes together with the next: one
    round trip, one wait of the server for its disk, one for its replicas.
    """

    def __init__(self, client: Redis, connections: int, awaited: Awaited, timeout: float) -> None:
        self.renewals = 0
        """How often it was renewed: who saw a fault before the last time saw the same one."""
        self._client = client
        self._connections = connections
        self._awaited = awaited
        self._wait = awaited.command(timeout)
        self._waiting: deque[_Waiting] = deque()
        self._at_work: set[asyncio.Task[None]] = set()
        self._starting = False
        self._closed = False

    async def ask(self, command: Command, asking: bool = False) -> Any:
        """What the server answers. Raises RedisError, OSError.

        `asking`: the key is on its way to this server.
        """
        if self._closed:
            raise _closed()
        loop = asyncio.get_running_loop()
        waiting = _Waiting(command, asking, loop.create_future())
        self._waiting.append(waiting)
        if not self._starting and len(self._at_work) < self._connections:
            self._starting = True
            task = loop.create_task(self._work(), context=Context())
            self._at_work.add(task)
        return await waiting.answer

    async def renew(self) -> None:
        """Connect anew, for what is asked from now on."""
        self.renewals += 1
        await self._let_go()

    async def close(self) -> None:
        """What waits is not asked any more and gets an error; what is under way gets its answer, or
        the error of the client's time limit."""
        self._closed = True
        _settle(self._waiting, [_closed() for _ in self._waiting])
        self._waiting.clear()
        await asyncio.gather(*self._at_work)
        await self._client.aclose()
        await self._client.connection_pool.disconnect()

    async def _work(self) -> None:
        self._starting = False
        while batch := self._next():
            renewals = self.renewals
            _settle(batch, await self._send(batch))
            if self.renewals != renewals:  # the connection is older than what is known now
                await self._let_go()
        # Not by a callback: what is asked before that runs would find nobody at work.
        self._at_work.discard(asyncio.current_task())

    async def _let_go(self) -> None:
        """Of the connections that are not at work."""
        with contextlib.suppress(RedisError, OSError):  # one that does not end in time
            await self._client.connection_pool.disconnect(inuse_connections=False)

    def _next(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < TOGETHER:
            waiting = self._waiting.popleft()
            if not waiting.answer.done():
                batch.append(waiting)
        return batch

    async def _send(self, batch: list[_Waiting]) -> list[Any]:
        """An answer or an error for each."""
        pipeline = self._client.pipeline(transaction=False)
        places = []
        for waiting in batch:
            if waiting.asking:
                pipeline.execute_command("ASKING")
            places.append(len(pipeline))
            pipeline.execute_command(*waiting.command.words)
        waits = self._awaited.replicas and any(waiting.command.writes for waiting in batch)
        if waits:
            pipeline.execute_command(*self._wait)
        try:
            answers = await pipeline.execute(raise_on_error=False)
        except Exception as error:
            return [_again(error) for _ in batch]
        lacking = _lacking(self._awaited, answers[-1]) if waits else None
        return [
            _again(lacking)
            if lacking and waiting.command.writes and not isinstance(answers[place], Exception)
            else answers[place]
            for waiting, place in zip(batch, places, strict=True)
        ]


def _lacking(awaited: Awaited, answer: Any) -> RedisError | None:
    """What is wrong with the answer to its command."""
    if isinstance(answer, Exception):
        return answer if isinstance(answer, RedisError) else RedisError()
    local, replicas = answer if awaited.on_disk else (1, answer)
    if local >= 1 and replicas >= awaited.replicas:
        return None
    return TooFewReplicas(f"{replicas} of {awaited.replicas} replicas have what was written")


def _settle(asked: Iterable[_Waiting], answers: Sequence[Any]) -> None:
    for waiting, answer in zip(asked, answers, strict=True):
        if waiting.answer.done():  # whoever asked has gone
            continue
        if isinstance(answer, Exception):
            waiting.answer.set_exception(answer)
        else:
            waiting.answer.set_result(answer)


def _closed() -> NotConnected:
    return NotConnected("this server is asked no more")


def _again(error: Exception) -> Exception:
    """One of its own for each that gets it: where it is raised adds to it."""
    own = copy.copy(error)
    own.__cause__ = error
    return own
