"""The benchmarks work; how fast they say it is depends on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from benchmarks.server import ServerError, free_port, running
from benchmarks.standin import write_standin
from service.backend.repository import load_model
from tests import live


def test_classify_measures_the_service_beside_the_bare_session(
    toy_models: Path, tmp_path: Path
) -> None:
    output = tmp_path / "classify.json"
    models = ["--models", str(toy_models), "--model", "toy"]
    printed = _run("classify", "--quick", "--output", str(output), *models)
    record = json.loads(output.read_text())
    names = [row["name"] for row in record["rows"]]
    assert len(names) == 6
    assert names[0] == "session.run, batch 1"
    for row in record["rows"]:
        assert row["name"] in printed
        assert row["windows_per_second"] > 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
    assert record["rows"][1]["of_best"]["windows_per_second"] == 1


def test_serve_measures_the_service_beside_fastapi(tmp_path: Path) -> None:
    output, picture = tmp_path / "serve.json", tmp_path / "serve.png"
    done = _run("serve", "--quick", "--output", str(output), "--picture", str(picture))
    rows = json.loads(output.read_text())["rows"]
    cells = {(row["server"], row["body"], row["connections"]): row for row in rows}
    assert cells.keys() == {
        (server, body, connections)
        for server in ("ours", "fastapi")
        for body in ("JSON", "binary")
        for connections in (1, 4)
    }
    for row in rows:
        assert row["server"] in done
        assert row["requests_per_second"] > 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
    assert cells["ours", "JSON", 1]["requests_per_second_of_ours"] == 1
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_peer_that_is_not_installed_is_named_and_skipped(tmp_path: Path) -> None:
    done = _run("serve", "--quick", "--only", "triton", "--peers", str(tmp_path))
    assert "triton is skipped: python -m benchmarks install triton" in done


def test_a_server_that_does_not_come_up_is_told_with_its_log() -> None:
    command = [sys.executable, "-c", "print('no model'); raise SystemExit(1)"]
    with (
        pytest.raises(ServerError, match="no model"),
        running(command, free_port(), "/health", {}),
    ):
        pass


def test_the_stand_in_is_one_network_with_the_state_outside_and_inside(tmp_path: Path) -> None:
    standin = write_standin(tmp_path)
    model = load_model(standin.folder, "cpu")
    contract = model.manifest.contract
    x = np.random.default_rng(0).normal(size=(3, 20, len(contract.channels))).astype(np.float32)
    state = {tensor.name: tensor.initial_array(len(x)) for tensor in contract.state}
    for part in (x[:, :7], x[:, 7:]):
        lengths = np.full(len(x), part.shape[1])
        logits, state = model.backend.run(np.ascontiguousarray(part), lengths, state)
    session = onnxruntime.InferenceSession(str(standin.window))
    np.testing.assert_allclose(logits[:, -1], session.run(None, {"x": x})[0], atol=1e-5)


def _run(*arguments: str) -> str:
    """What the command prints."""
    command = [sys.executable, "-m", "benchmarks", *arguments]
    done = subprocess.run(command, cwd=live.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
