"""`streams`: whole recordings, and the temperature that folds of the same recipe choose."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from larnn_export.carried import Labelled
from larnn_export.checkpoint import CheckpointError, load_network
from larnn_export.data.hapt import TEST_SUBJECTS
from larnn_export.publish import served
from larnn_export.trained_on import unknown_to
from tests.commands.conftest import SHORT, SMALL, export, refusal

STREAMS = ["-t", "streams=2"]


@pytest.fixture(scope="module")
def live(runs: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on streams too, after windows: live/one, its temperature chosen by live/folds."""
    live = tmp_path_factory.mktemp("live")
    of_both: list[str | Path] = [*SMALL, *SHORT, *STREAMS, "--data", data, "--start"]
    commands: list[list[str | Path]] = [
        ["train", live / "one", *of_both, runs / "one"],
        ["folds", live / "folds", *of_both, runs / "folds"],
        ["streams", live / "one", "--folds", live / "folds", "--data", data],
    ]
    for command in commands:
        result = export(*command)
        assert result.exit_code == 0, result.output
    return live


def streams_of(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "streams.json").read_text())
    return found


def test_streams_are_trained_on_and_measured(live: Path, data: Path, tmp_path: Path) -> None:
    run = live / "one"
    result = streams_of(run)
    assert [*result["per_subject"]] == ["9", "10"]  # it was trained on all the others
    assert result["steps"] == 2 * 6 * 150
    assert 0.25 <= result["temperature"] <= 8
    assert 0 <= result["calibration_error"]["with_temperature"] <= 1
    assert export("evaluate", run, "--data", data).exit_code == 0
    published = export("publish", run, "--models", tmp_path / "models")
    assert published.exit_code == 0, published.output
    plain, calibrated = load_network(run), served(run).network
    x = torch.randn(2, 5, 9)
    logits = calibrated(x)[0] * result["temperature"]
    torch.testing.assert_close(logits, plain(x)[0])
    card = tmp_path / "models" / "larnn-har" / "1" / "README.md"
    assert f"| steps answered right | {result['accuracy']:.2%} |" in card.read_text()
    assert (card.parent / "checkpoint" / "streams.png").stat().st_size > 1000


def test_whom_a_run_knows_is_taken_from_the_run(tmp_path: Path) -> None:
    """A division of one's own, a fold, a run of before this was kept, one that knows everybody."""
    nothing = torch.zeros(0)
    recordings = [Labelled(person, nothing, nothing) for person in range(1, 31)]

    def measured(held_out: list[int], **record: list[int]) -> set[int]:
        found = unknown_to(tmp_path, {"training": {"held_out": held_out}, **record}, recordings)
        return {each.subject for each in found}

    assert measured([], trained_on=[*range(3, 31)]) == {1, 2}
    assert measured([5, 6], trained_on=[*range(7, 31)]) == {5, 6}
    assert measured([]) == {*TEST_SUBJECTS}
    with pytest.raises(CheckpointError, match="trained on everybody"):
        measured([], trained_on=[*range(1, 31)])


def test_windows_of_people_whom_a_run_knows_are_not_its_test_set(
    runs: Path, data: Path, tmp_path: Path
) -> None:
    run = tmp_path / "one"
    shutil.copytree(runs / "one", run)
    file = run / "checkpoint.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"trained_on": [1, 2, 7, 9]}))
    assert "whose windows these are: [7, 9]" in refusal("evaluate", run, "--data", data)


def test_a_temperature_stays_with_its_weights(
    live: Path, runs: Path, data: Path, tmp_path: Path
) -> None:
    before = streams_of(live / "one")
    assert len(before["folds_sha256"]) == 5
    run = shutil.copytree(live / "one", tmp_path / "run")
    unsaid = {key: value for key, value in before.items() if key != "tensors_sha256"}
    for found in (before, unsaid):  # the second as streams.json was written earlier
        (run / "streams.json").write_text(json.dumps(found))
        assert export("streams", run, "--data", data).exit_code == 0
        assert streams_of(run) == before
    for file in ("checkpoint.json", "checkpoint.safetensors"):
        shutil.copyfile(runs / "one" / file, run / file)
    assert "is of other weights" in refusal("streams", run, "--data", data)
    assert "is of other weights" in refusal("onnx", run, "--output", run / "x.onnx")


def test_a_temperature_is_chosen_by_five_folds_of_the_same_recipe(
    live: Path, runs: Path, begun: Path, data: Path, tmp_path: Path
) -> None:
    before = streams_of(live / "one")

    def refused(run: Path, folds: Path) -> str:
        return refusal("streams", run, "--folds", folds, "--data", data)

    assert "another training configuration: streams=0, not 2" in refused(
        live / "one", runs / "folds"
    )
    assert "the run has not" in refused(runs / "one", begun)
    assert "not a finished training run" in refused(live / "one", tmp_path)
    folds = shutil.copytree(live / "folds", tmp_path / "folds")
    shutil.rmtree(folds / "fold-4")
    assert "not a finished training run" in refused(live / "one", folds)
    shutil.copytree(folds / "fold-0", folds / "fold-4")
    assert "other folds of its people" in refused(live / "one", folds)
    assert streams_of(live / "one") == before


def test_a_fold_is_measured_on_the_streams_of_those_held_out(runs: Path, data: Path) -> None:
    assert export("streams", runs / "folds" / "fold-0", "--data", data).exit_code == 0
    result = streams_of(runs / "folds" / "fold-0")
    assert list(result["per_subject"]) == ["1", "6"]
    assert result["temperature"] is None
    assert result["calibration_error"]["with_temperature"] is None
