"""What waits to be captured, bounded, and when it goes to its files."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from larnn_service.capture_settings import CaptureSettings
from larnn_service.engine.batching.executor import Executor
from larnn_service.engine.capture.folder import Folder
from larnn_service.engine.capture.recorder import Recorder
from larnn_service.engine.capture.stretch import FILE_STEPS, Rows, Stretch
from larnn_service.engine.streams.checkpoint import Checkpoint
from larnn_service.errors import Unavailable
from larnn_service.tasks import regularly
from larnn_service.telemetry.metrics import Metrics
from larnn_service.telemetry.tags import tag

logger = logging.getLogger(__name__)

SWEEP = 60.0
"""Seconds between two looks at the age and the size of the files."""
PATIENCE = 30.0
"""Seconds that deleting a stream's files may take."""
THREADS = 4
"""That write when all must go: a folder of a network answers some time after it is asked."""
_TAGS = 16**12
Write = Callable[[Sequence[Rows]], str]


class Capture:
    """Of one replica. All but the work on files happens in the event loop; that has threads.

    Whatever the disk does, no client waits for it: what has no room to wait is not captured.
    """

    def __init__(
        self,
        settings: CaptureSettings,
        owners: frozenset[str],
        folder: Folder,
        write: Write,
        metrics: Metrics,
    ) -> None:
        """`owners`: whose streams; everybody's, where there are none. `write` appends to the
        rows' stretch and says what became of them, in the thread."""
        self._settings, self._owners, self._folder = settings, owners, folder
        self._write, self._steps = write, metrics.captured
        self._ready: dict[Stretch, float] = {}
        """Since when they wait, those that wait for longest first."""
        self._full: list[Stretch] = []
        self._turn = asyncio.Lock()
        self._thread = Executor(THREADS, "capture")
        self._tasks: list[asyncio.Task[None]] = []
        self.waiting_bytes = 0
        """Of steps and outputs that are in no file yet."""

    def recorder(self, stream: Checkpoint, owner: str) -> Recorder | None:
        """What captures the stream from here on; None where it is not drawn, or not its owner's.

        Whether it is drawn depends on its id alone, so that every replica says the same.
        """
        name = tag(stream.stream)
        if int(name, 16) >= self._settings.capture_share * _TAGS:
            return None
        if self._owners and owner not in self._owners:
            return None
        return Recorder(self, name, owner, stream.fence)

    def has_room(self, size: int, steps: int) -> bool:
        """Count so many bytes as waiting, or the steps as not captured where there is no room."""
        if self.waiting_bytes + size > self._settings.capture_waiting_bytes:
            self._steps.labels("over_limit").inc(steps)
            return False
        self.waiting_bytes += size
        return True

    def release(self, size: int) -> None:
        """So many bytes wait no longer."""
        self.waiting_bytes -= size

    def keep(self, rows: Rows) -> None:
        """The store has these rows: they may go to a file."""
        stretch = rows.stretch
        stretch.ready.append(rows)
        if stretch not in self._ready:
            self._ready[stretch] = time.monotonic()
        before, stretch.count = stretch.count, stretch.count + len(rows.steps)
        if before < FILE_STEPS <= stretch.count:
            self._full.append(stretch)

    def start(self) -> None:
        """Write and delete from now on. In the event loop."""
        soon = min(self._settings.capture_interval / 4, 1.0)
        works = ((soon, self.write_due), (SWEEP, self.sweep))
        self._tasks = [asyncio.create_task(regularly(*each)) for each in works]

    async def write_due(self, everything: bool = False) -> None:
        """Write what is much, what has waited for long enough, and what has waited for longest
        until there is room again."""
        async with self._turn, asyncio.TaskGroup() as group:
            due = self._due(everything)
            for _ in range(THREADS if everything else 1):
                group.create_task(self._hand_each(due))

    def _due(self, everything: bool) -> Iterator[Stretch]:
        full, self._full = self._full, []
        yield from full
        room = self._settings.capture_waiting_bytes / 2
        oldest = time.monotonic() - self._settings.capture_interval
        for stretch, since in list(self._ready.items()):
            if since > oldest and self.waiting_bytes < room and not everything:
                return
            yield stretch

    async def _hand_each(self, due: Iterator[Stretch]) -> None:
        for stretch in due:
            await self._hand(stretch)

    async def _hand(self, stretch: Stretch) -> None:
        self._ready.pop(stretch, None)
        if not (rows := stretch.handed()):
            return
        try:
            outcome = await self._thread.run(partial(self._write, rows))
        finally:
            self.release(sum(each.nbytes for each in rows))
        self._steps.labels(outcome).inc(sum(len(each.steps) for each in rows))

    async def forget(self, stream_id: str) -> None:
        """Delete all that was captured of a stream. Raises Unavailable where that fails."""
        name = tag(stream_id)
        for stretch in [each for each in self._ready if each.stream == name]:
            del self._ready[stretch]
            rows = stretch.handed()
            self.release(sum(each.nbytes for each in rows))
            self._steps.labels("forgotten").inc(sum(len(each.steps) for each in rows))
        try:
            async with asyncio.timeout(PATIENCE):
                await self._thread.run(partial(self._folder.forget, name))
        except (OSError, TimeoutError) as error:
            logger.error("what was captured of stream %s cannot be deleted: %r", name, error)
            raise Unavailable("the folder of what is captured does not answer") from error

    async def sweep(self) -> None:
        """Delete what is too old, or too much. Raises OSError."""
        days, most = self._settings.capture_days, self._settings.capture_bytes
        await self._thread.run(partial(self._folder.sweep, days, most))

    def begin_drain(self) -> None:
        """Write all that waits now, while the service ends what goes on."""
        self._tasks.append(asyncio.create_task(self.write_due(everything=True)))

    async def drain(self, within: float) -> None:
        """Write all that still waits, in so many seconds at most."""
        try:
            async with asyncio.timeout(within):
                await self.write_due(everything=True)
        except TimeoutError:
            logger.error("captured steps are lost: the disk took longer than %g s", within)

    def close(self) -> None:
        """Do no more."""
        if self.waiting_bytes:
            logger.error("%d bytes of captured steps are in no file, and lost", self.waiting_bytes)
        for task in self._tasks:
            task.cancel()
        self._thread.close(0)
