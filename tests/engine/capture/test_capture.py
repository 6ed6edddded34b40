"""What waits to be captured: bounded, only what is durable, and never in anybody's way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from larnn_service.engine.capture.capture import THREADS, Capture, Write
from larnn_service.engine.capture.folder import Folder
from larnn_service.engine.capture.recorder import Recorder
from larnn_service.engine.capture.stretch import COST, FILE_STEPS, SHORT_STEPS
from larnn_service.engine.capture.writer import Writer
from larnn_service.engine.engine import Engine
from larnn_service.engine.streams.checkpoint import Checkpoint, beginning
from larnn_service.interfaces import Model
from larnn_service.settings import Settings
from larnn_service.telemetry.metrics import Metrics
from tests import captured
from tests.engine.bench import MANIFEST, Sums
from tests.engine.replicas import MODELS, Clock, FarStore, Listener, replica

MODEL = Model(MANIFEST, Sums())
FIVE = 5 * (2 * 4 + 3 * 4) + COST
"""Bytes of five steps and their outputs, which came together."""


class Place:
    """A capture into a folder, which nothing but the test drives."""

    def __init__(self, root: Path, write: Write | None = None, **settings: Any) -> None:
        folder = Folder(root)
        folder.prepare()
        self.root, self.metrics = root, Metrics()
        wanted = Settings(capture=root, **settings)
        write = write or Writer(folder).write
        self.capture = Capture(wanted, frozenset(), folder, write, self.metrics)

    def recorder(self, name: str = "a stream") -> Recorder:
        recorder = self.capture.recorder(beginning(MODEL, name), "")
        assert recorder is not None
        return recorder

    def outcomes(self) -> dict[str, float]:
        samples = next(iter(self.metrics.captured.collect())).samples
        return {sample.labels["outcome"]: sample.value for sample in samples if sample.value}

    def positions(self) -> list[list[int]]:
        """Of each file."""
        return [pl.read_parquet(file)["position"].to_list() for file in captured.files(self.root)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def take(recorder: Recorder, first: int, count: int, durable: bool = True) -> None:
    """Steps that are their positions; the answers of earlier ones are kept with them."""
    steps = np.repeat(np.arange(first, first + count, dtype=np.float32)[:, None], 2, axis=1)
    outputs = np.zeros((count + 3, 3), np.float32)
    recorder.take(MODEL, _at(first + count, outputs), steps)
    if durable:
        recorder.settle(first + count)


def _at(position: int, outputs: Any) -> Checkpoint:
    return Checkpoint("a stream", "toy", 1, position, outputs, {})


async def test_only_what_is_durable_is_written(place: Place) -> None:
    recorder = place.recorder()
    take(recorder, 0, 5, durable=False)
    take(recorder, 5, 5, durable=False)
    recorder.settle(5)
    await place.capture.write_due(everything=True)
    assert place.positions() == [[0, 1, 2, 3, 4]]
    assert place.capture.waiting_bytes == FIVE
    recorder.leave()
    recorder.settle(10)
    await place.capture.write_due(everything=True)
    assert place.positions() == [[0, 1, 2, 3, 4]]
    assert place.capture.waiting_bytes == 0


async def test_an_older_state_leaves_nothing_waiting(place: Place) -> None:
    recorder = place.recorder()
    take(recorder, 0, 5)
    take(recorder, 5, 5, durable=False)
    recorder.take(MODEL, _at(5, np.zeros((0, 3), np.float32)), None)
    await place.capture.write_due(everything=True)
    assert place.positions() == [[*range(5)]]
    assert place.capture.waiting_bytes == 0


async def test_beyond_the_limit_nothing_is_captured_and_a_recording_begins_behind_it(
    tmp_path: Path,
) -> None:
    place = Place(tmp_path, capture_waiting_bytes=5 * FIVE // 2)
    recorder = place.recorder()
    take(recorder, 0, 5)
    take(recorder, 5, 5, durable=False)
    take(recorder, 10, 5)
    assert place.outcomes() == {"over_limit": 5}
    await place.capture.write_due(everything=True)
    take(recorder, 15, 5)
    await place.capture.write_due(everything=True)
    assert place.positions() == [[*range(10)], [*range(15, 20)]]
    assert place.outcomes() == {"over_limit": 5, "written": 15}


async def test_what_waits_is_written_when_half_of_the_room_is_taken(tmp_path: Path) -> None:
    place = Place(tmp_path, capture_waiting_bytes=4 * FIVE)
    recorder = place.recorder()
    for first, written in ((0, False), (5, True)):
        take(recorder, first, 5)
        await place.capture.write_due()
        assert bool(place.positions()) == written
    take(recorder, 10, FILE_STEPS // 8)  # more than there is room for
    assert place.outcomes() == {"over_limit": FILE_STEPS // 8, "written": 10}


async def test_only_what_makes_room_is_written_before_its_time(tmp_path: Path) -> None:
    place = Place(tmp_path, capture_waiting_bytes=6 * FIVE)
    for name in "abc":
        take(place.recorder(name), 0, 5)
    await place.capture.write_due()
    assert place.outcomes() == {"written": 5}, "of the stream that had waited for longest"
    assert place.capture.waiting_bytes == 2 * FIVE


async def test_a_file_that_was_deleted_is_not_added_to(place: Place) -> None:
    recorder = place.recorder()
    take(recorder, 0, 5)
    await place.capture.write_due(everything=True)
    [file] = captured.files(place.root)
    file.unlink()  # as another process does with what is too old
    file.parent.rmdir()
    take(recorder, 5, 5)
    await place.capture.write_due(everything=True)
    assert place.positions() == [[*range(5, 10)]]
    assert place.outcomes() == {"written": 10}


async def test_a_drain_writes_several_streams_at_a_time(tmp_path: Path) -> None:
    """A folder far away takes its time for each file."""
    together = threading.Barrier(THREADS)

    def write(*_: object) -> str:
        together.wait(60)
        return "written"

    place = Place(tmp_path, write)
    for name in range(2 * THREADS):
        take(place.recorder(str(name)), 0, 5)
    await place.capture.drain(60)
    assert place.outcomes() == {"written": 10 * THREADS}
    assert place.capture.waiting_bytes == 0


async def test_a_drain_writes_while_connections_end(tmp_path: Path) -> None:
    """They may take all the time that there is."""
    begun = threading.Event()

    def write(*_: object) -> str:
        begun.set()
        return "written"

    place = Place(tmp_path, write)
    streams = replica(FarStore(), Clock(), capture=place.capture)
    engine = Engine(MODELS, streams, Settings())
    connection = Listener()
    stream = await engine.open(MODELS.wanted(None, None))
    streams.connections.attach(stream, connection)
    take(place.recorder(), 0, 5)
    draining = asyncio.create_task(engine.drain(600))
    assert await asyncio.to_thread(begun.wait, 60)
    assert not draining.done()
    streams.connections.detach(stream, connection)
    await draining
    engine.close()


async def test_a_file_grows_and_then_another_one_begins(place: Place) -> None:
    recorder, half = place.recorder(), SHORT_STEPS // 2
    for first in range(0, 3 * half, half):
        take(recorder, first, half)
        await place.capture.write_due(everything=True)
    assert place.positions() == [[*range(SHORT_STEPS)], [*range(SHORT_STEPS, 3 * half)]]


async def test_many_steps_do_not_wait(place: Place) -> None:
    recorder = place.recorder()
    take(recorder, 0, FILE_STEPS - 1)
    await place.capture.write_due()
    assert place.positions() == []
    take(recorder, FILE_STEPS - 1, 1)
    await place.capture.write_due()
    assert place.positions() == [[*range(FILE_STEPS)]]


async def test_behind_steps_that_were_lost_a_file_begins(place: Place) -> None:
    recorder = place.recorder()
    take(recorder, 0, 5)
    await place.capture.write_due(everything=True)
    [file] = captured.files(place.root)
    whole = file.read_bytes()
    file.write_bytes(b"no table")
    take(recorder, 5, 5)
    await place.capture.write_due(everything=True)
    file.write_bytes(whole)
    take(recorder, 10, 5)
    await place.capture.write_due(everything=True)
    assert place.positions() == [[*range(5)], [*range(10, 15)]]
    assert place.outcomes() == {"failed": 5, "written": 10}


async def test_what_is_forgotten_is_written_by_nobody(place: Place) -> None:
    other = Place(place.root)
    mine, theirs = place.recorder(), other.recorder()
    take(mine, 0, 5)
    await place.capture.write_due(everything=True)
    take(mine, 5, 5)
    take(theirs, 10, 5)
    await place.capture.forget("a stream")
    for one in (place, other):
        await one.capture.write_due(everything=True)
        assert one.capture.waiting_bytes == 0
    assert captured.files(place.root) == []
    assert (place.outcomes(), other.outcomes()) == (
        {"written": 5, "forgotten": 5},
        {"forgotten": 5},
    )


async def test_a_disk_that_hangs_is_in_nobodys_way(tmp_path: Path) -> None:
    begun, hangs = threading.Event(), threading.Event()

    def write(*_: object) -> str:
        begun.set()
        hangs.wait()
        return "written"

    place = Place(tmp_path, write, capture_waiting_bytes=2 * FIVE)
    recorder = place.recorder()
    take(recorder, 0, 5)
    writing = asyncio.create_task(place.capture.write_due(everything=True))
    assert await asyncio.to_thread(begun.wait, 60)
    for first in range(5, 20, 5):
        take(recorder, first, 5)
    await place.capture.drain(0.01)
    assert place.capture.waiting_bytes == 2 * FIVE
    assert place.outcomes() == {"over_limit": 10}
    hangs.set()
    await writing
    assert place.capture.waiting_bytes == FIVE


@pytest.mark.parametrize(
    "say", [lambda: Settings(capture_share=0.5), lambda: Settings(capture_days=3)]
)
def test_how_needs_where(say: Callable[[], Settings]) -> None:
    with pytest.raises(ValueError, match="LARNN_CAPTURE"):
        say()
