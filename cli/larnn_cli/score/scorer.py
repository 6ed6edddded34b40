"""The loop: files are read, their recordings run side by side, and their answers are written."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from math import ceil
from typing import NamedTuple

from larnn_cli.score.open_file import OpenFile, Question
from larnn_cli.score.pieces import Piece, Recording
from larnn_cli.score.places import Folder, Job
from larnn_cli.score.run import run
from larnn_export.data import DataError

BATCH = 64
"""Recordings that one run advances."""
HELD = 2**26
"""Bytes of steps and outputs that are held at most, read and not yet written."""


class Progress(NamedTuple):
    """What has been written, or is over."""

    job: Job
    steps: int = 0
    is_over: bool = False
    problem: str = ""
    """Why there are no answers to it."""


class _Run(NamedTuple):
    files: list[OpenFile]
    recordings: list[Recording]
    pieces: list[Piece]


class Scorer:
    """Scores files. As many recordings as there are run side by side, of one file or of many."""

    def __init__(
        self, question: Question, source: Folder, target: Folder, threads: int, batch: int = BATCH
    ) -> None:
        """`threads` runs at a time, each of `batch` recordings at most."""
        self._question, self._source, self._target = question, source, target
        self._threads, self._batch = threads, batch
        self._ready: deque[tuple[OpenFile, Recording]] = deque()
        """With pieces, none of which runs."""
        self._reading: deque[OpenFile] = deque()
        self._failed: set[OpenFile] = set()
        self._runs: dict[Future[list[DataError | None]], _Run] = {}
        self._held, self._columns = 0, question.model.manifest.contract.columns

    def score(self, jobs: Iterable[Job]) -> Iterator[Progress]:
        """Score each, and tell what comes of it. One that cannot be read keeps no other from it."""
        to_come = iter(jobs)
        with ThreadPoolExecutor(self._threads) as pool:
            while True:
                yield from self._fill(to_come)
                while (size := self._may_run()) and len(self._runs) < self._threads:
                    self._start(pool, size)
                if not self._runs:
                    return
                for future in wait(self._runs, return_when=FIRST_COMPLETED).done:
                    yield from self._take(future)

    def _fill(self, to_come: Iterator[Job]) -> Iterator[Progress]:
        """Read until enough recordings are ready, or enough is held."""
        most = self._batch * self._threads
        while len(self._ready) < most and self._held < HELD:
            if len(self._reading) < most and (job := next(to_come, None)) is not None:
                try:
                    file = OpenFile(job, self._question, self._source, self._target)
                except DataError as error:
                    yield Progress(job, is_over=True, problem=str(error))
                    continue
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
        size = min(self._batch, ceil((len(self._ready) + running) / self._threads))
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
            if file in self._failed:
                continue
            if problem is not None:
                yield self._fail(file, problem)
                continue
            if recording.pieces:
                self._ready.append((file, recording))
            if written := file.write():
                self._held -= sum(map(self._size, written))
                yield Progress(file.job, sum(len(piece.steps) for piece in written))
                if file.is_done:
                    yield self._publish(file)

    def _publish(self, file: OpenFile) -> Progress:
        file.publish()
        return Progress(file.job, is_over=True)

    def _fail(self, file: OpenFile, problem: DataError) -> Progress:
        self._held -= sum(map(self._size, file.abandon()))
        self._failed.add(file)
        if file in self._reading:
            self._reading.remove(file)
        self._ready = deque(each for each in self._ready if each[0] is not file)
        return Progress(file.job, is_over=True, problem=str(problem))

    def _size(self, piece: Piece) -> int:
        """Bytes of its steps, and of their outputs if all are kept."""
        return int(piece.steps.nbytes) + len(piece.steps) * self._columns * 4
