"""Streams and the versions that they began on: resumed, waited for, migrated."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from larnn_service.engine.engine import Engine
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import Conflict, UnknownModel
from tests import toy
from tests.backend.test_model_repository import resign
from tests.versions import Replica, SharedStore, advance, entry


async def begun(replica: Replica, models: Path) -> tuple[SharedStore, Engine, Stream]:
    """A stream that has advanced on version 1, its replica and store; then comes version 2."""
    store = SharedStore()
    engine = replica(store)
    stream = await engine.open(engine.model("toy"))
    await advance(engine, stream, 0)
    toy.publish(models, version=2)
    return store, engine, stream


async def test_a_stream_resumes_on_its_version_where_only_a_newer_one_serves(
    replica: Replica, tmp_path: Path
) -> None:
    store, first, stream = await begun(replica, tmp_path)
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
    store, first, stream = await begun(replica, tmp_path)
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
