"""The benchmarks work; how fast they say it is depends on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.client import Connection, post
from benchmarks.our_streams import OurStreams
from benchmarks.peers.ours import Ours
from benchmarks.peers.registry import PEERS
from benchmarks.server import ServerError, free_port, running
from benchmarks.standin import write_standin
from larnn_service.backend.model_repository import load_model
from tests import live


def test_classify_measures_the_service_beside_the_bare_session(
    toy_models: Path, tmp_path: Path
) -> None:
    output = tmp_path / "classify.json"
    models = ["--models", str(toy_models), "--model", "toy"]
    printed = _run("classify", "--quick", "--output", str(output), *models)
    record = json.loads(output.read_text())
    names = [row["name"] for row in record["rows"]]
    assert len(names) == 13
    assert names[0] == "session.run, batch 1"
    assert record["best"] in names[:5]
    for row in record["rows"]:
        assert row["name"] in printed
        assert row["per_second"] > 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
    assert record["rows"][names.index(record["best"])]["per_second_of_bare"] == 1
    assert record["start"]["seconds"] > 0 and record["start"]["resident_bytes"] > 10_000_000


def test_serve_measures_the_service_beside_fastapi(tmp_path: Path) -> None:
    output, picture = tmp_path / "serve.json", tmp_path / "serve.png"
    done = _run("serve", "--quick", "--output", str(output), "--picture", str(picture))
    record = json.loads(output.read_text())
    rows = record["rows"]
    cells = {(row["server"], row["body"], row["connections"]): row for row in rows}
    assert cells.keys() == {
        (server, body, connections)
        for server in ("ours", "fastapi")
        for body in ("JSON", "binary")
        for connections in (1, 4)
    }
    for row in rows:
        assert row["server"] in done
        assert row["per_second"] > 0
        assert 0 < row["p50_ms"] <= row["p99_ms"]
    assert cells["ours", "JSON", 1]["per_second_of_ours"] == 1
    assert [row["batch"] for row in record["bare"]] == [1, 16, 64]
    assert all(row["per_second"] > 0 and row["per_cpu_second"] > 0 for row in record["bare"])
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_stream_measures_the_bundled_model_and_the_stand_in(tmp_path: Path) -> None:
    output, picture = tmp_path / "stream.json", tmp_path / "stream.png"
    arguments = ["--quick", "--peers", str(tmp_path)]
    done = _run("stream", *arguments, "--output", str(output), "--picture", str(picture))
    assert "triton is skipped" in done
    rows = json.loads(output.read_text())["rows"]
    assert {(row["server"], row["model"], row["streams"]) for row in rows} == {
        (server, model, streams)
        for server in ("ours JSON", "ours binary", "ours, no operator", "ours, one process")
        for model in ("lstm-standin", "larnn-har")
        for streams in (1, 4)
    }
    assert all(row["per_second"] > 0 and 0 < row["p50_ms"] <= row["p99_ms"] for row in rows)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_stream_finds_how_many_live_streams_are_held(tmp_path: Path) -> None:
    output = tmp_path / "live.json"
    _run("stream", "--quick", "--live", "--output", str(output))
    rows = json.loads(output.read_text())["rows"]
    assert {row["model"] for row in rows} == {"lstm-standin", "larnn-har", "larnn-96"}
    assert all(row["streams"] == 8 and 0 < row["p50_ms"] <= row["p99_ms"] for row in rows)


def test_a_peer_that_is_not_installed_is_named_and_skipped(tmp_path: Path) -> None:
    done = _run("serve", "--quick", "--only", "triton", "--peers", str(tmp_path))
    assert "triton is skipped: python -m benchmarks install triton" in done


def test_a_peer_is_installed_once_in_an_environment_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Small(Ours):
        name, requirements = "small", ("pip",)

    monkeypatch.setitem(PEERS, "small", Small())
    arguments = ["install", "small", "--peers", str(tmp_path)]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert PEERS["small"].is_installed(tmp_path)
    assert PEERS["small"].python(tmp_path).is_relative_to(tmp_path)
    assert "small: there already" in CliRunner().invoke(app, arguments).output


def test_a_peer_that_is_unknown_is_refused_with_those_that_are_not() -> None:
    done = CliRunner().invoke(app, ["install", "apache"])
    assert done.exit_code == 2
    assert "apache is no peer" in done.output


def test_a_server_that_does_not_come_up_is_told_with_its_log() -> None:
    command = [sys.executable, "-c", "print('no model'); raise SystemExit(1)"]
    with (
        pytest.raises(ServerError, match="no model"),
        running(command, free_port(), "/health", {}),
    ):
        pass


async def test_the_client_says_what_a_server_refuses(toy_url: str) -> None:
    port = int(toy_url.rpartition(":")[2])
    connection = await Connection.open(port, lambda: post(port, "/classify", b"{", {}))
    with pytest.raises(ServerError, match="422.*bad_json"):
        await connection.repeat(1)
    await connection.close()


async def test_chunks_sent_ahead_are_answered_all(toy_url: str) -> None:
    port = int(toy_url.rpartition(":")[2])
    asked = OurStreams(port, "toy", streams=1, steps=3, binary=False, channels=2)
    [socket] = await asked.websockets()
    for _ in range(5):
        socket.send_chunk()
    await socket.settled.wait()
    assert len(socket.latencies) == 5
    assert not socket.waits
    await socket.close()
    assert not socket.is_open


def test_the_stand_in_is_one_network_with_the_state_outside_and_inside(tmp_path: Path) -> None:
    standin = write_standin(tmp_path)
    model = load_model(standin.folder, "cpu")
    contract = model.manifest.contract
    x = np.random.default_rng(0).normal(size=(3, 20, contract.input.width)).astype(np.float32)
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
