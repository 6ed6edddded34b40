"""What `python -m export` refuses, and what it says to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.conftest import SHORT, SMALL, export, refusal


def test_a_finished_run_is_not_overwritten(runs: Path, data: Path) -> None:
    before = (runs / "one" / "checkpoint.safetensors").read_bytes()
    assert "--resume" in refusal("train", runs / "one", *SMALL, *SHORT, "--data", data)
    resumed = export("train", runs / "one", *SMALL, *SHORT, "--data", data, "--resume")
    assert resumed.exit_code == 0, resumed.output
    assert (runs / "one" / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "elman"], "preset 'elman' is not one of larnn, "),
        (["-n", "hidden_size=7"], "must be a multiple of heads"),
        (["-n", "hiden_size=8"], "expected name=value"),
        (["-t", "epochs=0"], "greater than or equal to 1"),
        (["-n", "channels=3"], "the data has 9 channels, not 3"),
        (["-t", "held_out=[99]"], "have no window in the data"),
    ],
)
def test_bad_arguments_say_what_to_do(
    arguments: list[str], message: str, data: Path, tmp_path: Path
) -> None:
    assert message in refusal("train", tmp_path / "run", *arguments, "--data", data)


def test_missing_data_says_where_to_get_it(tmp_path: Path) -> None:
    text = refusal("train", tmp_path / "run", "--data", tmp_path)
    assert "UCI Machine Learning Repository" in text
    assert "LARNN_DATA" in text


def test_missing_and_damaged_runs_are_named(runs: Path, data: Path, tmp_path: Path) -> None:
    assert "not a finished training run" in refusal("evaluate", tmp_path, "--data", data)
    for file in ("checkpoint.json", "checkpoint.safetensors"):
        (tmp_path / file).write_bytes((runs / "one" / file).read_bytes())
    weights = tmp_path / "checkpoint.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    assert "is damaged" in refusal("onnx", tmp_path, "--output", tmp_path / "x.onnx")
    assert not (tmp_path / "x.onnx").exists()
