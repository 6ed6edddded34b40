"""Graphs, ticks, scaling and checkpoints are measured; how fast depends on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from service.backend.kernels import library
from tests import live


@pytest.mark.parametrize("name", ["graph", "ticks", "scaling"])
def test_graphs_are_measured_beside_the_obvious_export(name: str, tmp_path: Path) -> None:
    output = tmp_path / f"{name}.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", name, "--quick", "--output", str(output)],
        cwd=live.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(output.read_text())
    assert record["command"] == name
    assert record["lines"]
    of_operator = "operator" in str(record["lines"])
    assert of_operator == (name != "scaling" and library() is not None)


def test_checkpoints_measures_a_store(toy_models: Path, tmp_path: Path) -> None:
    output = tmp_path / "checkpoints.json"
    command = [sys.executable, "-m", "benchmarks", "checkpoints", "--streams", "3", "--rounds", "2"]
    where = ["--store", f"sqlite:///{tmp_path}/streams.db", "--output", str(output)]
    done = subprocess.run(
        [*command, *where, "--models", str(toy_models), "--model", "toy"],
        cwd=live.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(output.read_text())
    assert record["store"] == "sqlite"
    assert all(value > 0 for value in record.values() if not isinstance(value, str))
