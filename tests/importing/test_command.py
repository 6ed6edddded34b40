"""`larnn import`: its options, a model.toml, a proposal, and no torch."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np

from larnn_service.backend.model_repository import load_model
from tests.cli.command import ENVIRONMENT, Larnn
from tests.importing import graphs

SPEECH = ("--set", "sr=16000", "--frame", "4", "--overlap", "2", "--sample-rate", "16000")
ANSWER = ("--output", "output", "--task", "probability", "--labels", "speech")


def test_options_say_what_the_file_does_not(larnn: Larnn, tmp_path: Path) -> None:
    file, models = graphs.branches(tmp_path), tmp_path / "models"
    done = larnn("import", file, "--name", "voice", "--models", models, *SPEECH, *ANSWER)
    assert done.code == 0, done.err
    assert "state → stateN (by their names)" in done.out
    assert done.out.endswith(f"published {models}/voice/1\n")
    contract = load_model(models / "voice" / "1", "cpu").manifest.contract
    assert contract.input.frame is not None and contract.input.frame.samples == 4
    assert contract.sample_rate_hz == 4000
    assert contract.outputs[0].labels == ("speech",)


def test_a_proposal_is_completed_and_imported(larnn: Larnn, tmp_path: Path) -> None:
    file, config = graphs.branches(tmp_path), tmp_path / "model.toml"
    proposed = larnn("import", file, "--name", "voice", "--propose").out
    assert "# missing: input sr int64 [] is not known" in proposed
    assert tomllib.loads(proposed)["state"] == {"state": "stateN"}
    said = proposed.replace("[input]", "[input]\nframe = 4\noverlap = 2")
    config.write_text(said + "\n[constants]\nsr = 16000\n")
    done = larnn("import", file, "--config", config, "--models", tmp_path / "models")
    assert done.code == 0, done.err
    assert "output is given as it is" in done.out


def test_a_file_beside_a_model_toml_is_found_and_its_folder_not_told(
    larnn: Larnn, tmp_path: Path
) -> None:
    file, config = graphs.told_once(tmp_path), tmp_path / "settings" / "model.toml"
    config.parent.mkdir()
    for name, array in (("begin", np.arange(8.0)), ("voice", np.ones(4))):
        np.save(config.with_name(f"{name}.npy"), array)
    config.write_text(
        'name = "mine"\n[initial]\nh = "begin.npy"\n'
        '[once]\nspeaker = "voice.npy"\ngain = "required"\n'
    )
    done = larnn("import", file, "--config", config, "--models", tmp_path / "models")
    assert done.code == 0, done.err
    model = load_model(tmp_path / "models" / "mine" / "1", "cpu")
    np.testing.assert_array_equal(model.initial["h"], np.arange(8, dtype=np.float32))
    options = model.manifest.network["imported"]["options"]
    assert options["initial"] == {"h": "begin.npy"}
    assert options["once"] == {"speaker": "voice.npy", "gain": "required"}


def test_channels_and_values_have_units(larnn: Larnn, tmp_path: Path) -> None:
    channels = ("--channels", "left [m], right [m], up, down", "--unit", "s")
    values = ("--output", "y", "--task", "values", "--values", "load [N],speed [m/s],heat")
    file, models = graphs.one_step(tmp_path), tmp_path / "models"
    done = larnn("import", file, "--name", "mine", "--models", models, *channels, *values)
    assert done.code == 0, done.err
    contract = load_model(models / "mine" / "1", "cpu").manifest.contract
    assert [channel.unit for channel in contract.input.channels] == ["m", "m", "s", "s"]
    assert [value.unit for value in contract.outputs[0].values] == ["N", "m/s", "1"]


def test_bad_options_are_one_text_and_exit_code_2(larnn: Larnn, tmp_path: Path) -> None:
    file, latin = graphs.one_step(tmp_path), tmp_path / "latin.toml"
    latin.write_text('description = "é"', encoding="latin-1")
    for options, text in (
        (("--name", "Not A Name"), "options, name: "),
        (("--set", "sr"), "--set sr: write --set NAME=VALUE"),
        (("--initial", "h=much"), "--initial h=much: write --initial NAME=VALUE"),
        (("--task", "classes"), "name it by --output"),
        (("--rows", "apart"), "options, rows: "),
        (("--shape", "x=b,-4"), "options, shapes.x.1"),
        (("--sample-rate", "inf"), "options, sample_rate_hz: Input should be a finite number"),
        (("--set", "sr=1", "--set", "sr=2"), "--set sr is said twice"),
        (("--config", str(tmp_path / "none.toml")), "No such file"),
        (("--config", str(latin)), "latin.toml: 'utf-8' codec can't decode"),
    ):
        done = larnn("import", file, "--models", tmp_path / "models", *options)
        assert done.code == 2 and text in done.err, (options, done.err)
        assert not (tmp_path / "models").exists()


def test_what_exists_is_exit_code_1(larnn: Larnn, tmp_path: Path) -> None:
    arguments = (
        "import",
        graphs.one_step(tmp_path),
        "--name",
        "a",
        "--models",
        tmp_path / "models",
    )
    assert larnn(*arguments).code == 0
    done = larnn(*arguments)
    assert done.code == 1 and "--replace" in done.err
    assert larnn(*arguments, "--replace").code == 0


def test_it_needs_no_torch_and_writes_utf_8_in_any_locale(tmp_path: Path) -> None:
    file = graphs.one_step(tmp_path)
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from larnn_cli import main\n"
        f"main(['import', {str(file)!r}, '--name', 'mine', '--models', {str(tmp_path)!r}])"
    )
    encodings = ["-X", "warn_default_encoding", "-W", "error::EncodingWarning"]
    command = [sys.executable, *encodings, "-c", program]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
