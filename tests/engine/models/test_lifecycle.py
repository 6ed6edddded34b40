"""Versions that come and go while requests and streams run on them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from larnn_service.backend.model_repository import Repository
from larnn_service.errors import BadModel, Conflict, StartupError, UnknownModel
from tests import toy
from tests.awaited import classify
from tests.backend.test_model_repository import resign
from tests.versions import WINDOW, Replica, advance, another_graph, entry, states


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
    [logits] = await classify(engine, began_with, [WINDOW])
    assert logits.tolist() == [3, 3, 3]


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
