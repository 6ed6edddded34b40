"""`larnn` itself: what it ends with, what it imports, what it helps with."""

from __future__ import annotations

import hashlib
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import live
from tests.cli.command import ENVIRONMENT, Larnn
from tests.cli.test_ask import RECORDING


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["classify", "nowhere.npz"], 2, "nowhere.npz"),
        (["classify", "README.md"], 2, "README.md: not one of .npz, .npy, .wav, .parquet, .csv"),
        (["classify", "docs"], 2, "docs has no dataset.toml"),
        (["classify", RECORDING, "--array", "x"], 2, "name one of signals, label, windows"),
        (["classify", RECORDING, "--array", "label"], 2, "are asked for"),
        (["classify", RECORDING, "--window", "2000"], 2, "has no sequence of 2000 steps"),
        (["classify", RECORDING, "--hop", "2"], 2, "it goes with --window"),
        (["classify", RECORDING, "-o", "out.xls"], 2, "end it with .csv, .json, .parquet"),
        (["classify", RECORDING, "-o", "/nowhere/out.csv"], 2, "/nowhere/out.csv"),
        (["stream", RECORDING, "--full-speed", "--chunk", "1025"], 2, "cut it with --window"),
        (["classify", RECORDING, "-m", "nobody"], 2, "'nobody' is none of "),
        (["stream", RECORDING, "--array", "windows"], 2, "holds 6 sequences; a stream takes one"),
        (["stream", RECORDING, "--resume", "nobody"], 1, "unknown: "),
        (["models", "--url", "localhost"], 2, "write http://"),
        (["models", "--ca", "README.md"], 2, "README.md: NO_CERTIFICATE"),
    ],
)
def test_what_is_wrong_is_said_in_one_place(
    arguments: list[str], code: int, message: str, larnn: Larnn, har_url: str
) -> None:
    url = [] if "--url" in arguments else ["--url", har_url]
    done = larnn(*arguments, *url)
    assert done.code == code, done.err
    assert message in " ".join(done.err.replace("│", " ").split())
    assert "Traceback" not in done.err and not done.out


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((3, 5)), "has 5 channels; the model takes 2: left, right"),
        (np.full((3, 2), np.nan), "a number is not finite"),
        (np.zeros((0, 2)), "no steps"),
        (np.array([{}], object), "cannot be read"),
    ],
)
def test_an_array_that_does_not_fit_is_named(
    array: np.ndarray, message: str, larnn: Larnn, toy_url: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    done = larnn("classify", tmp_path / "a.npy", "--url", toy_url)
    assert (done.code, message in done.err) == (2, True), done.err


@pytest.mark.parametrize("damage", ["no archive", "cut", "a member's bytes"])
def test_a_file_that_is_damaged_is_named(
    damage: str, larnn: Larnn, toy_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "a.npz"
    np.savez_compressed(file, signals=np.arange(20.0).reshape(10, 2))
    data = bytearray(file.read_bytes())
    if damage == "no archive":
        data = bytearray(b"PK\x03\x04 no archive")
    elif damage == "cut":
        del data[len(data) // 2 :]
    else:
        data[60:80] = bytes(20)
    file.write_bytes(data)
    done = larnn("classify", file, "--url", toy_url)
    assert (done.code, "cannot be read" in done.err) == (2, True), done.err
    assert "Traceback" not in done.err


def test_no_service_is_said_with_what_to_do(larnn: Larnn) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = larnn("models", "--url", url, "--retry-for", "0")
    assert done.code == 3
    assert "larnn serve, or add --local" in done.err


def test_a_key_is_sent_and_a_missing_one_said(larnn: Larnn, toy_models: Path) -> None:
    entry = "phone:" + hashlib.sha256(b"sesame").hexdigest()
    with live.running(models=toy_models, model="toy", api_keys=entry) as url:
        refused = larnn("models", "--url", url)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("LARNN_KEY", "sesame")
            assert larnn("models", "--url", url).code == 0
    assert refused.code == 1
    assert "unauthorized" in refused.err


def test_it_serves_with_the_services_own_settings(larnn: Larnn, toy_models: Path) -> None:
    with live.process("cli serve --log-level info", models=toy_models, model="toy") as service:
        assert larnn("models", "--url", service.url).code == 0
        service.popen.send_signal(signal.SIGTERM)
        assert service.popen.wait(60) == 0
    assert "--checkpoint-interval" in larnn("serve", "--help").out


def test_a_service_that_cannot_start_says_why(
    larnn: Larnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LARNN_MODELS", str(tmp_path / "nowhere"))
    done = larnn("models", "--local")
    assert (done.code, "is no folder" in done.err) == (1, True), done.err


def test_helping_imports_nothing_large() -> None:
    program = (
        "import sys\n"
        "from larnn_cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as end:\n    assert not end.code\n"
        "print({'torch', 'onnx', 'onnxruntime', 'polars', 'fastapi', 'httpx'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == "set()", done.stderr


def test_borrowed_commands_help_and_complete_as_at_home(larnn: Larnn) -> None:
    assert "--preset" in larnn("train", "--help").out
    assert "--folds" in larnn("publish", "--help").out
    assert "ticks" in larnn("bench", "--help").out
    assert "Missing argument" in larnn("verify").err


@pytest.mark.parametrize(("typed", "offered"), [("cla", "classify"), ("train --pre", "--preset")])
def test_the_shell_completes(
    typed: str, offered: str, larnn: Larnn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_LARNN_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", f"larnn {typed}")
    monkeypatch.setenv("COMP_CWORD", str(len(typed.split())))
    assert offered in larnn().out.split()


@pytest.mark.parametrize(
    ("package", "arguments", "cure"),
    [
        ("typer", ["--help"], "pip install . ./client"),
        ("larnn_client", ["models"], "pip install . ./client"),
        ("pydantic_settings", ["serve"], "it comes with larnn[serve]"),
        ("torch", ["train"], "it comes with larnn[train]"),
    ],
)
def test_a_missing_package_is_said_with_its_cure(
    package: str, arguments: list[str], cure: str
) -> None:
    program = (
        f"import sys; sys.modules[{package!r}] = None; from larnn_cli import main; "
        f"main({arguments})"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"larnn: this command needs {package}: {cure}"), done.stderr
