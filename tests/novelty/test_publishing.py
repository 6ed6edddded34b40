"""`python -m export novelty` on made-up people: a new version, whose logits are the old one's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
import typer

from larnn_export.data.hapt import load_recordings
from larnn_export.graph_commands import write_onnx
from larnn_export.manifests import read_manifest
from larnn_export.novelty import publishing
from larnn_export.novelty.command import OLD, novelty
from larnn_export.novelty.stored import ARRAYS_FILE, read_score
from larnn_export.onnx_run import Session
from larnn_service.contract import INPUT, LENGTHS
from larnn_service.distribution import CONFIDENCE
from tests import live, made_up_people


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up_people.write(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the bundled version, which says that it knows six of the made-up people."""
    version = tmp_path_factory.mktemp("models") / "larnn-har-raw" / "1"
    shutil.copytree(live.ROOT / OLD, version)
    file = version / "checkpoint" / "checkpoint.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"trained_on": [*range(1, 7)]}))
    return version


@pytest.fixture(scope="module")
def new(old: Path, data: Path) -> Path:
    novelty(old, data, first=1)
    return old.parent / "2"


def test_a_new_version_answers_as_the_old_one_and_tells_novelty(
    old: Path, new: Path, data: Path
) -> None:
    before, after = read_manifest(old), read_manifest(new)
    assert after.version == 2 and after.contract.outputs[0] == before.contract.outputs[0]
    score = read_score(new / "checkpoint")
    assert score is not None and after.contract.doubt == (6, score.threshold)
    steps = load_recordings(data)[-1].signals[:200]
    found = {}
    for version, manifest in ((old, before), (new, after)):
        state = {name: a[None] for name, a in manifest.contract.initial_state().items()}
        names = [output.name for output in manifest.contract.outputs]
        feeds = {INPUT: steps[None], LENGTHS: np.array([len(steps)]), **state}
        found[version] = Session(version / "model.onnx").run(names, feeds)
    np.testing.assert_allclose(found[new][0], found[old][0], rtol=0, atol=1e-6)
    np.testing.assert_allclose(found[new][1][0, :, 0], score.of_recording(steps), rtol=1e-4)
    assert "## Unlike training" in (new / "README.md").read_text()


def test_its_manifest_tells_how_training_was_distributed(new: Path, data: Path) -> None:
    manifest = read_manifest(new)
    known = [r.signals for r in load_recordings(data) if r.subject <= 6]
    told = {each.quantity: each for each in manifest.training}
    channels = [channel.name for channel in manifest.contract.input.channels]
    assert list(told) == [*channels, CONFIDENCE, "novelty"]
    values = np.concatenate(known)[:, 1]
    below = float((values <= told["acc_y"].bounds[0]).mean())
    assert told["acc_y"].shares[0] == pytest.approx(below, abs=1e-4)
    assert below == pytest.approx(0.1, abs=0.01)


def test_its_graph_is_written_again_from_its_checkpoint(
    old: Path, new: Path, tmp_path: Path
) -> None:
    """The same nodes; what was in the old graph stays to the bit."""
    write_onnx(new / "checkpoint", tmp_path / "again.onnx", raw=True)
    before, mine, again = (
        onnx.load(path).graph
        for path in (old / "model.onnx", new / "model.onnx", tmp_path / "again.onnx")
    )
    assert list(mine.node) == list(again.node)
    assert list(mine.node)[: len(before.node)] == list(before.node)
    assert list(mine.initializer)[: len(before.initializer)] == list(before.initializer)


def test_what_cannot_be_published_leaves_nothing(
    old: Path, new: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(typer.BadParameter, match="exists: take another version"):
        novelty(old, data, number=2, first=1)
    monkeypatch.setattr(publishing, "SAME", -1.0)
    with pytest.raises(typer.BadParameter, match="logits differ"):
        novelty(old, data, number=3, first=1)
    assert not (old.parent / "3").exists()


def test_a_damaged_score_is_refused_by_name(new: Path, tmp_path: Path) -> None:
    shutil.copytree(new / "checkpoint", tmp_path / "run")
    (tmp_path / "run" / ARRAYS_FILE).write_bytes(b"torn")
    with pytest.raises(ValueError, match="novelty.* is damaged"):
        read_score(tmp_path / "run")


def test_the_bundled_version_is_the_command_s_own() -> None:
    """Its logits are the graph's of version 1: the same weights, and a score beside them."""
    version = live.ROOT / OLD.parent / "2"
    manifest = read_manifest(version)
    score = read_score(version / "checkpoint")
    assert score is not None and manifest.contract.doubt == (6, score.threshold)
    weights = "checkpoint/checkpoint.safetensors"
    assert (version / weights).read_bytes() == (live.ROOT / OLD / weights).read_bytes()
