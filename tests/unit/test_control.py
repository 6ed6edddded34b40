"""Versions that come and go while requests and streams run on them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from service.backend.repository import Repository
from service.engine.control import VersionState
from service.engine.engine import Chunk, Engine
from service.engine.memory_store import MemoryStore
from service.engine.models import at_start
from service.engine.store import Survives
from service.engine.stream import Stream
from service.engine.stream_ids import StreamIds
from service.engine.streams import Streams
from service.errors import BadModel, Conflict, StartupError, UnknownModel
from service.settings import Settings
from tests import toy
from tests.unit.test_repository import resign

WINDOW = np.ones((3, 2), np.float32)
Replica = Callable[..., Engine]


class SharedStore(MemoryStore):
    """As one that replicas share: streams rest in it when they leave memory."""

    survives: Survives = "replica"


@pytest.fixture
async def replica(tmp_path: Path) -> AsyncIterator[Replica]:
    """Makes engines that serve the folder, which has toy/1; closed at the end."""
    toy.publish(tmp_path)
    engines: list[Engine] = []

    def engine(store: MemoryStore | None = None, versions: int = 1) -> Engine:
        models = at_start(Repository(tmp_path, "cpu"), "toy", versions)
        streams = Streams(
            store or MemoryStore(),
            StreamIds("of all"),
            models,
            max_streams=10,
            idle_timeout=60,
            checkpoint_interval=1e6,
        )
        engines.append(Engine(models, streams, Settings(concurrency=1, versions=versions)))
        return engines[-1]

    yield engine
    for one in engines:
        one.close()


async def states(engine: Engine) -> dict[tuple[str, int], str]:
    return {(one.name, one.version): one.state for one in await engine.control.index()}


async def entry(engine: Engine, version: int) -> VersionState:
    [found] = [one for one in await engine.control.index("toy") if one.version == version]
    return found


async def advance(engine: Engine, stream: Stream, offset: int) -> list[float]:
    advanced = await engine.advance(stream, Chunk(offset, WINDOW), settled=True)
    last: list[float] = advanced.logits[-1].tolist()
    return last


def another_graph(**changes: Any) -> onnx.ModelProto:
    """The toy's with other bytes."""
    graph = toy.graph(toy.CONTRACT.model_copy(update=changes))
    graph.doc_string = "changed"
    return graph


async def test_the_newest_version_answers_once_it_is_loaded(
    replica: Replica, tmp_path: Path
) -> None:
    engine = replica()
    toy.publish(tmp_path, version=2)
    assert await states(engine) == {("toy", 1): "serving", ("toy", 2): "available"}
    assert engine.model("toy").manifest.version == 1
    await engine.control.load("toy")
    assert engine.model(None).manifest.version == 2
    assert await states(engine) == {("toy", 1): "available", ("toy", 2): "serving"}
    with pytest.raises(UnknownModel, match="version 1 of toy is not served; served: 2"):
        engine.model("toy", 1)


async def test_a_request_ends_on_the_version_that_it_began_with(
    replica: Replica, tmp_path: Path
) -> None:
    engine = replica()
    began_with = engine.model("toy")
    toy.publish(tmp_path, version=2)
    await engine.control.load("toy")
    assert (await engine.classify(began_with, [WINDOW])).tolist() == [[3, 3, 3]]


async def test_a_stream_stays_on_its_version_which_goes_when_it_ends(
    replica: Replica, tmp_path: Path
) -> None:
    engine = replica()
    stream = await engine.open(engine.model("toy"))
    await advance(engine, stream, 0)
    toy.publish(tmp_path, version=2)
    await engine.control.load("toy")
    retired = await entry(engine, 1)
    assert (retired.state, retired.answers, retired.streams) == ("retired", False, 1)
    assert await advance(engine, stream, 3) == [6, 6, 6]
    assert (await engine.resume(stream.id)).checkpoint.version == 1
    await engine.streams.remove(stream.id)
    assert (await entry(engine, 1)).state == "available"


async def test_versions_side_by_side(replica: Replica, tmp_path: Path) -> None:
    toy.publish(tmp_path, version=2)
    engine = replica(versions=2)
    assert engine.model("toy").manifest.version == 2
    assert engine.model("toy", 1).manifest.version == 1
    toy.publish(tmp_path, version=3)
    await engine.control.load("toy")
    assert [m.manifest.version for m in engine.models.serving("toy")] == [2, 3]
    await engine.control.load("toy", 1)
    assert engine.model("toy").manifest.version == 1
    assert [m.manifest.version for m in engine.models.serving("toy")] == [3, 1]


@pytest.mark.parametrize("damage", ["no graph", "half a graph", "half a manifest", "no manifest"])
async def test_a_half_copied_version_never_serves(
    replica: Replica, tmp_path: Path, damage: str
) -> None:
    engine = replica()
    folder = toy.publish(tmp_path, version=2)
    what, name = damage.split(" ", 1)[0], "model.json" if "manifest" in damage else "model.onnx"
    whole = (folder / name).read_bytes()
    (folder / name).unlink()
    if what == "half":
        (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BadModel, match=name):
        await engine.control.load("toy")
    refused = await entry(engine, 2)
    assert (refused.state, name in refused.reason) == ("refused", True)
    assert engine.model("toy").manifest.version == 1
    (folder / name).write_bytes(whole)
    await engine.control.load("toy")
    assert (await entry(engine, 2)).state == "serving"


async def test_a_graph_changed_in_place_never_serves_beside_its_streams(
    replica: Replica, tmp_path: Path
) -> None:
    engine = replica()
    stream = await engine.open(engine.model("toy"))
    resign(tmp_path / "toy" / "1", another_graph())
    with pytest.raises(Conflict, match="publish the changed one as version 2"):
        await engine.control.load("toy")
    await engine.control.unload("toy")
    with pytest.raises(Conflict):
        await engine.control.load("toy")
    assert await advance(engine, stream, 0) == [3, 3, 3]
    await engine.streams.remove(stream.id)
    await engine.control.load("toy")
    assert engine.model("toy") is not stream.model


async def test_loaded_again_it_is_verified_and_goes_on(replica: Replica, tmp_path: Path) -> None:
    engine = replica()
    before = engine.model("toy")
    assert await engine.control.load("toy") is before
    (tmp_path / "toy" / "1" / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(BadModel, match="SHA-256"):
        await engine.control.load("toy", 1)
    assert engine.model("toy") is before
    assert (await entry(engine, 1)).state == "serving"


async def test_an_unloaded_model_is_unknown_and_its_streams_go_on(replica: Replica) -> None:
    engine = replica()
    stream = await engine.open(engine.model("toy"))
    await engine.control.unload("toy")
    with pytest.raises(UnknownModel, match="GET /models"):
        engine.model("toy")
    assert await advance(engine, stream, 0) == [3, 3, 3]
    assert (await entry(engine, 1)).state == "retired"
    await engine.control.load("toy")
    assert engine.model("toy") is stream.model


@pytest.mark.parametrize("name", ["nothing", "../toy", ".", "", "toy/1"])
async def test_what_is_not_in_the_folder_is_unknown(replica: Replica, name: str) -> None:
    engine = replica()
    for change in (engine.control.load(name), engine.control.unload(name)):
        with pytest.raises(UnknownModel):
            await change
    with pytest.raises(UnknownModel, match="toy/7"):
        await engine.control.load("toy", 7)


async def test_a_stream_resumes_on_its_version_where_only_a_newer_one_serves(
    replica: Replica, tmp_path: Path
) -> None:
    store = SharedStore()
    first = replica(store)
    stream = await first.open(first.model("toy"))
    await advance(first, stream, 0)
    toy.publish(tmp_path, version=2)
    second = replica(store)
    assert (await second.streams.look(stream.id)).checkpoint.version == 1
    resumed = await second.resume(stream.id)
    assert await advance(second, resumed, 3) == [6, 6, 6]
    assert (await entry(second, 1)).state == "retired"
    with pytest.raises(UnknownModel):
        second.model("toy", 1)


async def test_a_stream_whose_version_was_removed_waits_for_it(
    replica: Replica, tmp_path: Path
) -> None:
    store = SharedStore()
    first = replica(store)
    stream = await first.open(first.model("toy"))
    await advance(first, stream, 0)
    toy.publish(tmp_path, version=2)
    shutil.move(tmp_path / "toy" / "1", tmp_path / "removed")
    assert await advance(first, stream, 3) == [6, 6, 6]
    assert (await entry(first, 1)).on_disk is False
    second = replica(store)
    with pytest.raises(UnknownModel, match="toy/1, which this replica does not"):
        await second.resume(stream.id)
    shutil.move(tmp_path / "removed", tmp_path / "toy" / "1")
    assert (await second.resume(stream.id)).checkpoint.position == 6


async def test_streams_migrate_when_asked(replica: Replica, tmp_path: Path) -> None:
    store = SharedStore()
    engine = replica(store)
    here, there = [await engine.open(engine.model("toy")) for _ in range(2)]
    await advance(engine, here, 0)
    elsewhere = replica(store)
    await advance(elsewhere, await elsewhere.resume(there.id), 0)
    toy.publish(tmp_path, version=2)
    await engine.control.load("toy")
    await engine.streams.rest_idle()
    assert await engine.control.migrate("toy") == 1
    assert await engine.control.migrate("toy", 1) == 0
    assert await engine.control.migrate("toy", 2) == 0
    assert await advance(engine, here, 3) == [6, 6, 6]
    arrived = await engine.resume(there.id)
    assert await advance(engine, arrived, 3) == [6, 6, 6]
    for stream in (here, arrived):
        assert (stream.model, stream.checkpoint.version) == (engine.model("toy"), 2)
        head = await store.head(stream.id)
        assert head is not None and head.version == 2
    assert (await entry(engine, 1)).state == "available"


async def test_streams_of_another_contract_do_not_migrate(replica: Replica, tmp_path: Path) -> None:
    engine = replica()
    stream = await engine.open(engine.model("toy"))
    faster = toy.CONTRACT.model_copy(update={"sample_rate_hz": 100.0})
    folder = toy.publish(tmp_path, version=2, contract=faster.model_dump(mode="json"))
    resign(folder, toy.graph(faster))
    await engine.control.load("toy")
    for version in (None, 1):
        with pytest.raises(Conflict, match="toy/1 and toy/2 differ in sample_rate_hz"):
            await engine.control.migrate("toy", version)
    assert stream.checkpoint.version == 1
    with pytest.raises(UnknownModel, match="toy/7"):
        await engine.control.migrate("toy", 7)
    await engine.streams.remove(stream.id)
    assert await engine.control.migrate("toy") == 0


async def test_reload_follows_the_folder(replica: Replica, tmp_path: Path) -> None:
    toy.publish(tmp_path, "leaves")
    engine = replica()
    toy.publish(tmp_path, version=2)
    toy.publish(tmp_path, "comes")
    (toy.publish(tmp_path, "broken") / "model.onnx").unlink()
    shutil.rmtree(tmp_path / "leaves")
    await engine.control.reload()
    assert await states(engine) == {
        ("broken", 1): "refused",
        ("comes", 1): "serving",
        ("toy", 1): "available",
        ("toy", 2): "serving",
    }


async def test_a_model_that_cannot_run_does_not_serve(replica: Replica, tmp_path: Path) -> None:
    """It is warmed up first: one that fails its first run is refused."""
    engine = replica()
    graph = toy.graph()
    [axis] = [tensor for tensor in graph.graph.initializer if tensor.name == "axis_1"]
    axis.int64_data[0] = 7
    resign(toy.publish(tmp_path, version=2), graph)
    with pytest.raises(BadModel, match="its first run failed"):
        await engine.control.load("toy")
    assert (await entry(engine, 2)).state == "refused"
    assert engine.model("toy").manifest.version == 1


def test_hidden_folders_are_nobodys(tmp_path: Path) -> None:
    toy.publish(tmp_path)
    toy.publish(tmp_path / ".copying", "half")
    (tmp_path / "toy" / "007").mkdir()
    (tmp_path / "toy" / ".publishing-2").mkdir()
    repository = Repository(tmp_path)
    assert (repository.names(), repository.versions("toy")) == (["toy"], [1])
    with pytest.raises(StartupError, match="no version of half"):
        repository.newest("half")
