"""The loop: files are read, their recordings run side by side, and their answers are written."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from math import ceil
from typing import NamedTuple

from larnn_cli.score.open_file import OpenFile, Question
from larnn_cli.score.pieces import Piece, Recording
from larnn_cli.score.places import Folder, Job
from larnn_cli.score.run import run
from larnn_export.data import DataError
from larnn_service.interfaces import Model

FEW, MANY = 8, 64
"""Recordings that one run advances. With the native operator a step costs the same in both, and few
files are open; the graph's own nodes take half as long again where they are few."""
HELD = 2**26
"""Bytes of steps and outputs that are held at most, read and not yet written."""


class Progress(NamedTuple):
    """What has been written, or is over."""

    job: Job
    steps: int = 0
    """Less than none of a file that fails: those that were told of it before."""
    is_over: bool = False
    problem: str = ""
    """Why there are no answers to it."""


class _Run(NamedTuple):
    files: list[OpenFile]
    recordings: list[Recording]
    pieces: list[Piece]


def batch_of(model: Model) -> int:
    """How many recordings a run of this model advances, unless somebody says otherwise."""
    return FEW if model.backend.operator == "native" else MANY


class Scorer:
    """Scores files. As many recordings as there are run side by side, of one file or of many."""

    def __init__(
        self, question: Question, source: Folder, target: Folder, threads: int, batch: int
    ) -> None:
        """`threads` runs at a time, each of `batch` recordings at most."""
        self._question, self._source, self._target = question, source, target
        self._threads, self._batch = threads, batch
        self._ready: deque[tuple[OpenFile, Recording]] = deque()
        """With pieces, none of which runs."""
        self._reading: deque[OpenFile] = deque()
        self._open: set[OpenFile] = set()
        self._runs: dict[Future[list[DataError | None]], _Run] = {}
        self._most_runs = threads + 1
        """One waits, so that no thread does while this one reads and writes."""
        self._held, self._columns = 0, question.model.manifest.contract.columns

    def score(self, jobs: Iterable[Job]) -> Generator[Progress, None, None]:
        """Score each, and tell what comes of it. One that cannot be read keeps no other from it.

        However it ends, no draft is left and the scorer may be asked again.
        """
        to_come = iter(jobs)
        try:
            with ThreadPoolExecutor(self._threads) as pool:
                while True:
                    yield from self._fill(to_come)
                    while (size := self._may_run()) and len(self._runs) < self._most_runs:
                        self._start(pool, size)
                    if not self._runs:
                        return
                    for future in wait(self._runs, return_when=FIRST_COMPLETED).done:
                        yield from self._take(future)
        finally:
            for file in list(self._open):
                self._abandon(file)
            self._runs.clear()

    def _fill(self, to_come: Iterator[Job]) -> Iterator[Progress]:
        """Read until enough recordings are ready, or enough is held."""
        most = self._batch * self._most_runs
        while len(self._ready) < most and self._held < HELD:
            if len(self._reading) < most and (job := next(to_come, None)) is not None:
                try:
                    file = OpenFile(job, self._question, self._source, self._target)
                except DataError as error:
                    yield Progress(job, is_over=True, problem=str(error))
                    continue
                self._open.add(file)
            elif self._reading:
                file = self._reading.popleft()
            else:
                return
            yield from self._read(file)

    def _read(self, file: OpenFile) -> Iterator[Progress]:
        try:
            piece = file.read()
        except DataError as error:
            yield self._fail(file, error)
            return
        if piece is None:
            if file.is_done:
                yield self._publish(file)
            return
        self._reading.append(file)
        self._held += self._size(piece)
        recording = piece.recording
        recording.pieces.append(piece)
        if len(recording.pieces) == 1 and not recording.running:
            self._ready.append((file, recording))

    def _may_run(self) -> int:
        """How many recordings the next run has; 0 where it should wait for others."""
        running = sum(len(run.recordings) for run in self._runs.values())
        size = min(self._batch, ceil((len(self._ready) + running) / self._most_runs))
        return size if len(self._ready) >= size or not self._runs else 0

    def _start(self, pool: ThreadPoolExecutor, size: int) -> None:
        chosen = [self._ready.popleft() for _ in range(min(size, len(self._ready)))]
        files, recordings = [list(each) for each in zip(*chosen, strict=True)]
        pieces = [recording.pieces.popleft() for recording in recordings]
        for recording in recordings:
            recording.running = True
        future = pool.submit(run, self._question.model, pieces, self._question.every)
        self._runs[future] = _Run(files, recordings, pieces)

    def _take(self, future: Future[list[DataError | None]]) -> Iterator[Progress]:
        ran = self._runs.pop(future)
        for file, recording, problem in zip(
            ran.files, ran.recordings, future.result(), strict=True
        ):
            recording.running = False
            if file.is_abandoned:
                continue
            if problem is not None:
                yield self._fail(file, problem)
                continue
            if recording.pieces:
                self._ready.append((file, recording))
            yield from self._write(file)

    def _write(self, file: OpenFile) -> Iterator[Progress]:
        try:
            written = file.write()
        except DataError as error:
            yield self._fail(file, error)
            return
        if written:
            self._held -= sum(map(self._size, written))
            yield Progress(file.job, sum(len(piece.steps) for piece in written))
            if file.is_done:
                yield self._publish(file)

    def _publish(self, file: OpenFile) -> Progress:
        try:
            file.publish()
        except DataError as error:
            return self._fail(file, error)
        self._open.remove(file)
        return Progress(file.job, is_over=True)

    def _fail(self, file: OpenFile, problem: DataError) -> Progress:
        self._abandon(file)
        return Progress(file.job, -file.steps, is_over=True, problem=str(problem))

    def _abandon(self, file: OpenFile) -> None:
        self._open.remove(file)
        self._held -= sum(map(self._size, file.abandon()))
        if file in self._reading:
            self._reading.remove(file)
        self._ready = deque(each for each in self._ready if each[0] is not file)

    def _size(self, piece: Piece) -> int:
        """Bytes of its steps, and of their outputs if all are kept."""
        return int(piece.steps.nbytes) + len(piece.steps) * self._columns * 4
