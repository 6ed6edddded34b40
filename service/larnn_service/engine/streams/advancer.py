"""The way of a chunk: lock the stream, run what is fresh, commit, store where asked, answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

import msgspec

from larnn_service.chunk import Chunk
from larnn_service.deadlines import late
from larnn_service.engine.batching.batcher import Batcher
from larnn_service.engine.batching.executor import Executor
from larnn_service.engine.batching.queue_entries import Outcome, result_of_row
from larnn_service.engine.streams.advance import Advance, Advanced
from larnn_service.engine.streams.checkpoint import Checkpoint
from larnn_service.engine.streams.registry import Streams
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import BadMessage
from larnn_service.interfaces import Floats, Model
from larnn_service.tasks import Tasks

logger = logging.getLogger(__name__)

Answer = Callable[[Advanced | Exception], None]
"""Gets what came of a chunk, once, in the event loop."""


class _Work(msgspec.Struct, eq=False):
    """A chunk on its way."""

    stream: Stream
    chunk: Chunk
    answer: Answer
    settled: bool
    explain: bool
    ends: bool
    attention: Floats | None = None


class Advancer:
    """Moves streams on by their chunks; chunks of one stream go one after the other.

    Everything happens by callbacks in the event loop. A task is made only where there is something
    to wait for besides the run: the stream's lock, its state in the store, or the attention.
    """

    def __init__(
        self,
        streams: Streams,
        batcher: Callable[[Model], Batcher],
        executor: Executor,
        *,
        max_unacked_steps: int,
        timeout: float,
    ) -> None:
        """`timeout`: seconds that the attention may take."""
        self._streams, self._batcher, self._executor = streams, batcher, executor
        self._max_unacked_steps, self._timeout = max_unacked_steps, timeout
        self._tasks = Tasks()

    def begin(
        self,
        stream: Stream,
        chunk: Chunk,
        answer: Answer,
        *,
        settled: bool,
        explain: bool,
        ends: bool,
    ) -> None:
        """Start the chunk's way; `answer` is called exactly once. See `Engine.advance`."""
        work = _Work(stream, chunk, answer, settled, explain, ends)
        has_lock = stream.lock.try_acquire()
        if explain or stream.resting or not has_lock:
            self._tasks.start(self._prepare(work, has_lock))
        else:
            self._run(work)

    async def _prepare(self, work: _Work, has_lock: bool) -> None:
        """Wait for the lock, the stream's state, and the attention where it is asked for."""
        if not has_lock:
            await work.stream.lock.acquire()
        try:
            await self._streams.wake(work.stream)
            if work.explain:
                work.attention = await self._explain(work)
        except Exception as error:
            return self._finish(work, error)
        except asyncio.CancelledError:
            work.stream.lock.release()
            raise
        self._run(work)

    async def _explain(self, work: _Work) -> Floats | None:
        """Where the chunk's last step looked: runs the fresh steps once more, for their attention.

        Raises BadMessage where the model has none to show, Full where it takes too long.
        """
        before, model = work.stream.checkpoint, work.stream.model
        fresh = Advance(before, work.chunk, self._max_unacked_steps).fresh
        if not len(fresh):
            return None
        if model.attention is None:
            raise BadMessage(f"{model.manifest.name} has no attention to show; ask without explain")
        try:
            async with asyncio.timeout(self._timeout):
                return await self._executor.run(partial(model.attention.run, fresh, before.state))
        except TimeoutError:
            raise late(self._timeout) from None

    def _run(self, work: _Work) -> None:
        """Queue the fresh steps for a run. The stream's lock is held from here to `_finish`."""
        stream = work.stream
        try:
            self._streams.check(stream)
            stream.real_time.consumed(len(work.chunk.steps), stream.last_used)
            advance = Advance(stream.checkpoint, work.chunk, self._max_unacked_steps)
            if len(advance.fresh):
                places, owner = self._streams.places, stream.owner
                places.check_kept(advance.kept_bytes, stream.kept_bytes, owner)
                rows = [(advance.fresh, advance.before.state)]
                then = partial(self._ran, work, advance)
                self._batcher(stream.model).submit(rows, then, owner=owner)
            else:
                self._commit(work, advance, advance.before)
        except Exception as error:
            self._finish(work, error)

    def _ran(self, work: _Work, advance: Advance, outcomes: list[Outcome]) -> None:
        try:
            self._commit(work, advance, advance.moved(*result_of_row(outcomes[0])))
        except Exception as error:
            self._finish(work, error)

    def _commit(self, work: _Work, advance: Advance, after: Checkpoint) -> None:
        stream = work.stream
        if work.ends and not advance.before.ended:
            after = advance.ended(after)
        if after is not advance.before:
            self._streams.commit(stream, after, advance.fresh)
        if work.settled and stream.dirty:
            self._tasks.start(self._settle(work, advance))
        else:
            self._finish(work, advance.answer(stream.checkpoint, stream.durable, work.attention))

    async def _settle(self, work: _Work, advance: Advance) -> None:
        """Answer only when the store has the stream as it is now."""
        stream = work.stream
        try:
            await self._streams.checkpoints.write(stream)
            told = advance.answer(stream.checkpoint, stream.durable, work.attention)
        except Exception as error:
            return self._finish(work, error)
        except asyncio.CancelledError:
            stream.lock.release()
            raise
        self._finish(work, told)

    def _finish(self, work: _Work, told: Advanced | Exception) -> None:
        work.stream.lock.release()
        if isinstance(told, Exception):
            told = told.with_traceback(None)  # its frames hold the stream, and the stream it
        try:
            work.answer(told)
        except Exception:  # the stream stands where it stands, whatever its client makes of that
            logger.exception("an answer could not be given")
