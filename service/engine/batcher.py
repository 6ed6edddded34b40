"""Dynamic batching of whatever waits, across requests and streams.

Work starts when a run is free, and what came meanwhile forms the next batch; the only company that
is waited for are those who were answered a moment ago (`Shares`). A run's size is bounded, by steps
and by rows times steps: a longer sequence takes several runs and goes to the back of the queue in
between, so a long window cannot stall the streams behind it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from opentelemetry.trace import SpanContext

from service.backend.base import Floats, Model, Steps
from service.engine.arena import Arena, Slot
from service.engine.deadlines import Deadlines
from service.engine.run_threads import RunThreads
from service.engine.shares import Shares
from service.engine.state import RowState
from service.errors import BadValue, Full, Internal
from service.telemetry.runs import Run, RunTelemetry
from service.telemetry.traces import here

logger = logging.getLogger(__name__)

Result = tuple[Floats, RowState]
"""Logits [steps, classes] and the state after them; of a row that ends the last step's alone."""


@dataclass(eq=False, slots=True)
class Submission:
    """Rows that came together."""

    rows: int
    unanswered: int


@dataclass(eq=False, slots=True)
class Row:
    """One sequence on its way through, with the channel for its reply."""

    x: Steps
    state: Slot
    ends: bool
    reply: asyncio.Future[Result]
    since: float
    """When it was queued, in seconds of the loop's clock."""
    submission: Submission
    asked: SpanContext | None
    """The span that asked for it, where anyone traces."""
    logits: list[Floats] = field(default_factory=list)
    done: int = 0
    alone: bool = False

    @property
    def remaining(self) -> int:
        return len(self.x) - self.done


class Batcher:
    """The queue and the runs of one model. All methods belong to the event loop's thread."""

    def __init__(
        self,
        model: Model,
        threads: RunThreads,
        telemetry: RunTelemetry,
        *,
        concurrency: int,
        max_batch_size: int,
        max_run_steps: int,
        max_run_row_steps: int,
        max_waiting_steps: int,
        within: float = math.inf,
    ) -> None:
        """A reply that has not come `within` seconds fails with Full."""
        self._loop = asyncio.get_running_loop()
        self._backend = model.backend
        self._arena = Arena(model.manifest.contract)
        self._threads = threads
        self._telemetry = telemetry
        self._shares = Shares(concurrency, max_batch_size)
        self._max_run_steps = max_run_steps
        self._max_run_row_steps = max_run_row_steps
        self._max_waiting_steps = max_waiting_steps
        self._deadlines = Deadlines(within)
        self._queue: deque[Row] = deque()
        self._waiting_steps = 0
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None

    def submit(
        self, rows: Sequence[tuple[Steps, RowState | None]], ends: bool = False
    ) -> list[asyncio.Future[Result]]:
        """Queue each x [steps, channels], steps ≥ 1, to run on from its state; all or none.

        No state is the one before the first step. `ends`: nothing follows, so only the last
        step's logits are kept. A reply fails with BadValue where the network's answer is not
        finite, with Internal where the run failed for this row alone, with Full where its time is
        up. Cancelling it takes the row off the queue. Raises Full.
        """
        steps = sum(len(x) for x, _ in rows)
        if self._waiting_steps + steps > self._max_waiting_steps:
            raise Full(
                f"{self._waiting_steps} steps wait and {self._max_waiting_steps} may; try again",
                retry_after=1,
            )
        loop = self._loop
        place, initial, now = self._arena.place, self._arena.initial, loop.time()
        span = here() if self._telemetry.traced else None
        together = Submission(len(rows), len(rows))
        queued = [
            Row(
                x,
                initial if state is None else place(state),
                ends,
                loop.create_future(),
                now,
                together,
                span,
            )
            for x, state in rows
        ]
        for row in queued:
            row.reply.add_done_callback(partial(self._forget, row))
            self._deadlines.add(row.reply, now)
        self._waiting_steps += steps
        self._shares.came()
        self._queue.extend(queued)
        if not self._scheduled:  # after this turn of the loop: what else it brings goes along
            self._scheduled = True
            loop.call_soon(self._start_runs)
        return [row.reply for row in queued]

    @property
    def waiting_steps(self) -> int:
        """Steps of this model that wait or run."""
        return self._waiting_steps

    def _forget(self, row: Row, reply: asyncio.Future[Result]) -> None:
        self._waiting_steps -= row.remaining
        self._deadlines.remove(reply)

    def _start_runs(self) -> None:
        self._scheduled = False
        loop = self._loop
        if self._timer is not None:
            self._timer.cancel()
        if wait := self._shares.wait(len(self._queue), loop.time()):
            self._timer = loop.call_later(wait, self._start_runs)
            return
        while self._shares.free and (rows := self._next_batch()):
            self._shares.started(len(rows))
            most = self._most_steps(len(rows))
            counts = [_piece(row.remaining, most) for row in rows]
            run = self._started(rows, counts, loop.time())
            self._threads.start(
                partial(self._run, rows, counts), partial(self._settle, rows, counts, run)
            )

    def _started(self, rows: list[Row], counts: list[int], now: float) -> Run:
        waits = [now - row.since for row in rows if not row.done]
        asked = [row.asked for row in rows if row.asked is not None]
        return self._telemetry.started(now, waits, len(rows), sum(counts), asked)

    def _next_batch(self) -> list[Row]:
        """The oldest row, and others within a factor of two of its steps: little is padded."""
        while self._queue and self._queue[0].reply.done():
            self._queue.popleft()
        if not self._queue:
            return []
        limit = self._shares.of(len(self._queue))
        first = self._queue.popleft()
        if first.alone:
            return [first]
        most = self._most_steps(limit)
        size = _piece(first.remaining, most)
        rows: list[Row] = [first]
        others: list[Row] = []
        while self._queue and len(rows) < limit:
            row = self._queue.popleft()
            if row.reply.done():
                continue
            fits = not row.alone and size <= 2 * _piece(row.remaining, most) <= 4 * size
            (rows if fits else others).append(row)
        self._queue.extendleft(reversed(others))
        return rows

    def _most_steps(self, rows: int) -> int:
        return min(self._max_run_steps, max(self._max_run_row_steps // rows, 1))

    def _run(self, rows: list[Row], counts: list[int]) -> list[tuple[Floats | None, Slot]]:
        """In a thread: one run, each row's logits, or None where they are not finite, and state."""
        first = rows[0].x
        x = np.zeros((len(rows), max(counts), first.shape[1]), dtype=first.dtype)
        for index, (row, count) in enumerate(zip(rows, counts, strict=True)):
            x[index, :count] = row.x[row.done : row.done + count]
        lengths = np.array(counts, dtype=np.int64)
        logits, after = self._arena.advance(self._backend, x, lengths, [r.state for r in rows])
        each: list[Floats | None] = [
            logits[index, count - 1 if row.ends else 0 : count].copy()
            for index, (row, count) in enumerate(zip(rows, counts, strict=True))
        ]
        if not np.isfinite(logits).all():
            each = [None if own is None or not np.isfinite(own).all() else own for own in each]
        return list(zip(each, after, strict=True))

    def _settle(
        self,
        rows: list[Row],
        counts: list[int],
        run: Run,
        outcome: list[tuple[Floats | None, Slot]] | Exception,
    ) -> None:
        answered: list[int] = []
        if not isinstance(outcome, Exception):
            for row, steps, (logits, state) in zip(rows, counts, outcome, strict=True):
                if self._advance(row, steps, logits, state):
                    answered.append(row.submission.rows)
        elif len(rows) == 1:
            logger.error("a run failed", exc_info=outcome)
            _fail(rows[0], Internal())
        else:  # one of them may be the cause: each runs again by itself
            for row in rows:
                row.alone = True
            self._queue.extendleft(reversed(rows))
        now = self._loop.time()
        run.end(now, isinstance(outcome, Exception))
        self._shares.ended(len(rows), answered, now, now - run.since)
        self._start_runs()

    def _advance(self, row: Row, steps: int, logits: Floats | None, state: Slot) -> bool:
        """Whether all rows of its submission are answered with that."""
        if row.reply.done():
            return False
        if logits is None:
            _fail(row, BadValue("the values are too large for the model: its answer is not finite"))
            return False
        row.done += steps
        self._waiting_steps -= steps
        row.state = state
        if row.ends:
            row.logits = [logits]
        else:
            row.logits.append(logits)
        if row.remaining:
            self._queue.append(row)
            return False
        whole = row.logits[0] if len(row.logits) == 1 else np.concatenate(row.logits)
        row.reply.set_result((whole, state))
        row.submission.unanswered -= 1
        return not row.submission.unanswered


def _piece(steps: int, most: int) -> int:
    """Of so many steps those of the next run: as few runs as may be, about as long each, so that a
    sequence which goes on and one that begins fit side by side."""
    return -(-steps // -(-steps // most))


def _fail(row: Row, error: Exception) -> None:
    if not row.reply.done():
        row.reply.set_exception(error)
