"""Versions that do not come to an end as they are loaded, and what goes on beside them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from larnn_service.backend.layout import Key
from larnn_service.backend.model_repository import Repository, Stamps
from larnn_service.backend.sources.source import Refused
from larnn_service.engine.engine import Engine
from larnn_service.engine.models import load_threads
from larnn_service.engine.models.load_threads import LoadThreads
from larnn_service.engine.models.registry import at_start
from larnn_service.engine.streams.places import Places
from larnn_service.engine.streams.registry import Streams
from larnn_service.errors import BadModel, Conflict, Full, StartupError
from larnn_service.interfaces import Model
from larnn_service.settings import Settings
from larnn_service.stream_ids import StreamIds
from tests import endless, toy
from tests.awaited import classify
from tests.backend import test_external_data as external
from tests.backend.test_model_repository import resign
from tests.versions import WINDOW, SharedStore, advance, entry, states

SOON = 0.05
"""Seconds after which what hangs is given up; all else has time."""


class SlowDisk(Repository):
    """One whose reads hang while they are told to."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "cpu")
        self.hang: dict[tuple[str, int], threading.Event] = {}
        self.folder, self.source = threading.Event(), threading.Event()
        self.folder.set()
        self.source.set()

    def load(self, name: str, version: int) -> Model:
        if (gate := self.hang.get((name, version))) is not None:
            gate.wait()
        return super().load(name, version)

    def refresh(self) -> Refused:
        self.source.wait()
        return {}

    def stamps(self) -> dict[Key, Stamps]:
        self.folder.wait()
        return super().stamps()


@pytest.fixture
def disk(own_models: Path) -> Iterator[SlowDisk]:
    disk = SlowDisk(own_models)
    yield disk
    for gate in [disk.folder, disk.source, *disk.hang.values()]:
        gate.set()
    join()


def join() -> None:
    """Whatever was left behind has ended."""
    for thread in threading.enumerate():
        if thread.name == load_threads.NAME:
            thread.join()


@contextlib.contextmanager
def given_up(threads: LoadThreads, disk: SlowDisk, after: str) -> Iterator[None]:
    """What comes after the disk was asked this is given up soon."""
    ask = getattr(disk, after)

    def asked(*arguments: str) -> object:
        found: object = ask(*arguments)
        threads.within = SOON
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(disk, after, asked)
        yield
    threads.within = 60


@pytest.fixture
def engine_on() -> Iterator[Callable[..., Engine]]:
    engines: list[Engine] = []

    def engine(
        repository: Repository,
        threads: LoadThreads | None = None,
        store: SharedStore | None = None,
        fetch_within: float = 60,
    ) -> Engine:
        fetching = LoadThreads(fetch_within, "LARNN_FETCH_TIMEOUT")
        models = at_start(repository, "toy", 1, threads or LoadThreads(60), fetching)
        ids = StreamIds("of all")
        streams = Streams(store or SharedStore(), ids, models, Places(10), idle_timeout=60)
        engines.append(Engine(models, streams, Settings(concurrency=1)))
        return engines[-1]

    yield engine
    for one in engines:
        one.close()


async def test_a_load_that_hangs_is_given_up_and_harms_nobody(
    disk: SlowDisk, own_models: Path, engine_on: Callable[..., Engine]
) -> None:
    threads = LoadThreads(60)
    engine = engine_on(disk, threads)
    toy.publish(own_models, version=2)
    disk.hang["toy", 2] = threading.Event()
    with given_up(threads, disk, "stamps"):
        load = asyncio.create_task(engine.control.load("toy"))
        while not load.done():
            [logits] = await classify(engine, engine.model("toy"), [WINDOW])
            assert logits.tolist() == [3, 3, 3]
    with pytest.raises(BadModel, match="loading toy/2 took longer than LARNN_LOAD_TIMEOUT"):
        await load
    assert (await entry(engine, 2)).state == "refused"
    disk.hang["toy", 2].set()
    assert (await engine.control.load("toy")).manifest.version == 2


async def test_a_poll_tries_what_hung_again_once_it_has_ended(
    disk: SlowDisk, own_models: Path, engine_on: Callable[..., Engine]
) -> None:
    threads = LoadThreads(60)
    engine = engine_on(disk, threads)
    toy.publish(own_models, version=2)
    gate = disk.hang["toy", 2] = threading.Event()
    with given_up(threads, disk, "stamps"):
        await engine.control.follow()
    for _ in range(2 * load_threads.LEFT_BEHIND):
        await engine.control.follow()
    assert [one.state for one in await engine.control.index()] == ["serving", "refused"]
    gate.set()
    join()
    await engine.control.follow()
    assert engine.model("toy").manifest.version == 2


async def test_a_stream_resumes_beside_a_load_that_hangs(
    disk: SlowDisk, own_models: Path, engine_on: Callable[..., Engine]
) -> None:
    """Whether its version runs or not."""
    store = SharedStore()
    toy.publish(own_models, version=2)
    engine = engine_on(disk, store=store)
    streams = []
    for version in (1, 2):
        model = await engine.control.load("toy", version)
        streams.append(await engine.open(model))
        await advance(engine, streams[-1], 0)
    other = engine_on(disk, store=store)
    toy.publish(own_models, version=3)
    disk.hang["toy", 3] = threading.Event()
    load = asyncio.create_task(other.control.load("toy"))
    for stream in streams:
        assert await advance(other, await other.resume(stream.id), 3) == [6, 6, 6]
    assert not load.done()
    disk.hang["toy", 3].set()
    await load


async def test_a_stream_whose_version_hangs_may_come_again(
    disk: SlowDisk, own_models: Path, engine_on: Callable[..., Engine]
) -> None:
    store = SharedStore()
    engine = engine_on(disk, store=store)
    stream = await engine.open(engine.model("toy"))
    await advance(engine, stream, 0)
    toy.publish(own_models, version=2)
    threads = LoadThreads(60)
    other = engine_on(disk, threads, store)
    disk.hang["toy", 1] = threading.Event()
    threads.within = SOON
    with pytest.raises(Full, match="loading toy/1 took longer"):
        await other.resume(stream.id)
    threads.within = 60
    disk.hang["toy", 1].set()
    assert await advance(other, await other.resume(stream.id), 3) == [6, 6, 6]


async def test_a_folder_that_hangs_is_told_and_what_runs_goes_on(
    disk: SlowDisk, engine_on: Callable[..., Engine]
) -> None:
    threads = LoadThreads(60)
    engine = engine_on(disk, threads)
    disk.folder.clear()
    threads.within = SOON
    for ask in (engine.control.index, partial(engine.control.load, "toy")):
        with pytest.raises(Full, match="the models folder took longer"):
            await ask()
    await engine.control.reload()
    [logits] = await classify(engine, engine.model("toy"), [WINDOW])
    assert logits.tolist() == [3, 3, 3]
    threads.within = 60
    disk.folder.set()
    assert await states(engine) == {("toy", 1): "serving"}


async def test_a_source_that_hangs_keeps_nothing_else_from_being_loaded(
    disk: SlowDisk,
    own_models: Path,
    engine_on: Callable[..., Engine],
    caplog: pytest.LogCaptureFixture,
) -> None:
    engine = engine_on(disk, fetch_within=SOON)
    toy.publish(own_models, version=2)
    disk.source.clear()
    with pytest.raises(BadModel, match="fetching models took longer than LARNN_FETCH_TIMEOUT"):
        await engine.control.load("toy")
    await engine.control.follow()
    assert "nothing new is fetched: fetching models took longer" in caplog.text
    assert engine.model("toy").manifest.version == 2


def test_at_start_what_hangs_is_told(disk: SlowDisk) -> None:
    disk.hang["toy", 1] = threading.Event()
    late = pytest.raises(StartupError, match="loading toy/1 took longer than LARNN_LOAD_TIMEOUT")
    threads = LoadThreads(60)
    with given_up(threads, disk, "versions"), late:
        at_start(disk, "toy", 1, threads)
    disk.folder.clear()
    with pytest.raises(StartupError, match="the models folder took longer"):
        at_start(disk, "toy", 1, LoadThreads(SOON))


async def test_an_endless_first_run_is_refused_and_the_others_serve(
    own_models: Path, engine_on: Callable[..., Engine]
) -> None:
    engine = engine_on(Repository(own_models, "cpu", run_within=0.1))
    endless.publish(own_models, version=2)
    for _ in range(2 * load_threads.LEFT_BEHIND):
        with pytest.raises(BadModel, match="its first run failed: .*terminate"):
            await engine.control.load("toy")
        [logits] = await classify(engine, engine.model("toy"), [WINDOW])
        assert logits.tolist() == [3, 3, 3]


async def test_a_served_run_that_never_ends_gives_its_place_back(
    own_models: Path, engine_on: Callable[..., Engine]
) -> None:
    """There is one."""
    endless.publish(own_models, version=2, always=False)
    engine = engine_on(Repository(own_models, "cpu", run_within=0.1))
    model = engine.model("toy")
    for _ in range(2):
        with pytest.raises(Exception, match="the service failed to run this"):
            await classify(engine, model, [WINDOW * 2 * endless.LARGE])
        [logits] = await classify(engine, model, [WINDOW])
        assert logits.tolist() == [3, 3, 3]


async def test_changed_weights_beside_the_same_graph_conflict(
    tmp_path: Path, engine_on: Callable[..., Engine]
) -> None:
    folder = external.publish(tmp_path)
    engine = engine_on(Repository(tmp_path, "cpu"))
    (folder / external.NAME).write_bytes(external.OTHERS)
    with pytest.raises(BadModel, match="its SHA-256"):
        await engine.control.load("toy")
    resign(folder, external.graph())
    external.name(folder, external.sha256(external.OTHERS))
    with pytest.raises(Conflict, match="publish the changed one as version 2"):
        await engine.control.load("toy")
