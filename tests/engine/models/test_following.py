"""A folder that is looked at again and again: what comes is loaded, and nothing else is touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from larnn_service.backend import layout, model_repository
from larnn_service.backend.model_repository import Repository
from larnn_service.backend.sources.source import Refused
from larnn_service.engine.engine import Engine
from larnn_service.errors import BadModel, Internal, Passing, StartupError
from larnn_service.interfaces import Model
from tests import toy
from tests.backend.test_model_repository import resign
from tests.versions import Replica, another_graph, entry, states


def loads(engine: Engine, name: str = "toy") -> dict[str, float]:
    """How many versions of a model were loaded, and how many refused."""
    families = engine.streams.metrics.families()
    samples = [sample for family in families for sample in family.samples]
    return {
        sample.labels["outcome"]: sample.value
        for sample in samples
        if sample.name == "larnn_model_loads_total" and sample.labels["model"] == name
    }


async def test_what_comes_is_loaded_once_and_nothing_else(replica: Replica, tmp_path: Path) -> None:
    toy.publish(tmp_path, "other")
    toy.publish(tmp_path, version=2)
    engine = replica()
    await engine.control.follow()
    assert (loads(engine), loads(engine, "other")) == ({}, {})
    toy.publish(tmp_path, version=3)
    for _ in range(2):
        await engine.control.follow()
    assert engine.model("toy").manifest.version == 3
    assert (loads(engine), loads(engine, "other")) == ({"loaded": 1}, {})
    await engine.control.load("toy", 1)
    await engine.control.follow()
    assert engine.model("toy").manifest.version == 1, "as the operator wants it"


@pytest.mark.parametrize("what", [".", "toy", "toy/2", "toy/2/model.json"])
async def test_what_is_gone_for_a_moment_stays(replica: Replica, tmp_path: Path, what: str) -> None:
    models = tmp_path / "toy"
    toy.publish(tmp_path, version=2)
    engine = replica()
    before = engine.model("toy")
    gone = models if what == "." else tmp_path / what
    hidden = gone.rename(tmp_path / ".gone")
    await engine.control.follow()
    assert engine.model("toy") is before
    hidden.rename(gone)
    await engine.control.follow()
    assert engine.model("toy") is before


@pytest.mark.parametrize("error", [OSError(116, "stale handle"), PermissionError(13, "denied")])
async def test_a_listing_that_fails_is_told_and_what_serves_goes_on(
    replica: Replica,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: OSError,
) -> None:
    def fail(_: Path) -> layout.Places:
        raise error

    engine = replica()
    before = engine.model("toy")
    toy.publish(tmp_path, version=2)
    with monkeypatch.context() as patch:
        patch.setattr(model_repository, "by_name", fail)
        for change in (engine.control.follow, engine.control.reload):
            await change()
            assert str(error.strerror) in caplog.text
            assert engine.model("toy") is before
        with pytest.raises(BadModel, match=f"{tmp_path}: cannot be read"):
            await engine.control.load("toy")
        with pytest.raises(Internal) as told:
            await engine.control.index()
        assert str(tmp_path) not in str(told.value)
    await engine.control.follow()
    assert engine.model("toy").manifest.version == 2


async def test_an_empty_folder_is_no_word_to_unload_all(replica: Replica, tmp_path: Path) -> None:
    engine = replica()
    (tmp_path / "toy").rename(tmp_path / ".gone")
    await engine.control.reload()
    assert engine.model("toy").manifest.version == 1


async def test_of_several_that_come_the_highest_that_is_good_answers(
    replica: Replica, tmp_path: Path
) -> None:
    engine = replica()
    toy.publish(tmp_path, version=2)
    whole = (toy.publish(tmp_path, version=3) / "model.onnx").read_bytes()
    (tmp_path / "toy/3/model.onnx").write_bytes(whole[:100])
    for _ in range(2):
        await engine.control.follow()
    assert engine.model("toy").manifest.version == 2
    assert (await entry(engine, 3)).state == "refused"
    assert loads(engine) == {"loaded": 1, "refused": 1}, "it is not tried again"
    toy.publish(tmp_path, version=1_000)
    (tmp_path / "toy/1000/model.onnx").unlink()
    await engine.control.follow()
    assert engine.model("toy").manifest.version == 2
    (tmp_path / "toy/3/model.onnx").write_bytes(whole)
    await engine.control.follow()
    assert engine.model("toy").manifest.version == 3, "it is whole by now"


async def test_what_cannot_be_loaded_now_is_replaced_by_nothing_older(
    replica: Replica, tmp_path: Path
) -> None:
    toy.publish(tmp_path, version=2)
    engine = replica()
    (tmp_path / "toy/2/model.onnx").write_bytes(b"damaged")
    for change in (engine.control.follow, engine.control.reload):
        await change()
        assert await states(engine) == {("toy", 1): "available", ("toy", 2): "serving"}


@pytest.mark.parametrize("what", ["damaged", "gone", "once refused by its source"])
async def test_a_poll_answers_with_nothing_older(
    replica: Replica, tmp_path: Path, what: str
) -> None:
    """Whatever has become of the newer one, and whatever is done to the older."""
    two, refused = toy.publish(tmp_path, version=2), Refused()
    engine = replica(refresh=lambda: dict(refused))
    if what == "damaged":
        (two / "model.onnx").write_bytes(b"damaged")
    elif what == "gone":
        two.rename(tmp_path / ".gone")
    else:
        refused["toy", 2] = "both are toy/2"
    await engine.control.follow()
    refused.clear()
    os.utime(tmp_path / "toy/1/model.json", (1, 1))
    await engine.control.follow()
    assert engine.model("toy").manifest.version == 2
    if what == "gone":
        await engine.control.reload()
        assert engine.model("toy").manifest.version == 1, "as the operator wants it"


async def test_a_source_that_has_a_version_again_is_heard(replica: Replica, tmp_path: Path) -> None:
    refused = {("toy", 1): "both are toy/1"}
    engine = replica(refresh=lambda: dict(refused))
    for why in ("both are toy/1", "three are", ""):
        refused.update({("toy", 1): why} if why else {})
        if not why:
            refused.clear()
        await engine.control.follow()
        assert (await entry(engine, 1)).reason == why


@pytest.mark.parametrize("error", [Passing("an I/O error"), MemoryError(), RuntimeError("odd")])
async def test_what_fails_for_the_moment_is_tried_again_and_keeps_nothing_else_away(
    replica: Replica, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def load(repository: Repository, name: str, version: int) -> Model:
        if (name, version) == ("toy", 3):
            raise error
        return whole(repository, name, version)

    engine, whole = replica(), Repository.load
    for version in (2, 3):
        toy.publish(tmp_path, version=version)
    toy.publish(tmp_path, "zebra")
    with monkeypatch.context() as patch:
        patch.setattr(Repository, "load", load)
        for _ in range(2):
            await engine.control.follow()
            assert engine.model("toy").manifest.version == 2
            assert engine.model("zebra").manifest.version == 1
    await engine.control.follow()
    assert engine.model("toy").manifest.version == 3
    assert loads(engine, "zebra") == {"loaded": 1}


async def test_a_version_that_conflicts_is_tried_until_its_streams_have_gone(
    replica: Replica, tmp_path: Path
) -> None:
    engine = replica()
    stream = await engine.open(engine.model("toy"))
    resign(tmp_path / "toy/1", another_graph())
    await engine.control.follow()
    assert engine.model("toy") is stream.model
    await engine.control.unload("toy")
    await engine.streams.remove(stream.id)
    await engine.control.follow()
    assert engine.model("toy") is not stream.model


async def test_what_a_source_cannot_give_is_told_to_whoever_asks_for_it(
    replica: Replica, tmp_path: Path
) -> None:
    refused = {("toy", 3): "toy/3: model.onnx is not there", ("new", 0): "new: no JSON"}
    engine = replica(refresh=lambda: refused)
    toy.publish(tmp_path, version=2)
    for _ in range(2):
        await engine.control.follow()
    assert engine.model("toy").manifest.version == 2
    assert (loads(engine)["refused"], loads(engine, "new")) == (1, {"refused": 1})
    for version in (None, 3):
        with pytest.raises(BadModel, match="toy/3: model.onnx is not there"):
            await engine.control.load("toy", version)
    del refused["toy", 3]
    assert (await engine.control.load("toy")).manifest.version == 2


async def test_a_source_that_does_not_answer_keeps_nothing_else_away(
    replica: Replica, tmp_path: Path
) -> None:
    def away() -> Refused:
        raise StartupError("s3://models: it does not answer")

    engine = replica(refresh=away)
    toy.publish(tmp_path, version=2)
    with pytest.raises(BadModel, match="does not answer"):
        await engine.control.load("toy")
    await engine.control.follow()
    assert engine.model("toy").manifest.version == 2
