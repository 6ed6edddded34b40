"""Graphs, ticks, scaling and checkpoints are measured; how fast depends on the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from larnn_service.native import library
from tests.benchmark import measured
from tests.kernels.native import need_kernels


@pytest.mark.parametrize("name", ["graph", "ticks", "scaling"])
def test_graphs_are_measured_beside_the_obvious_export(name: str, tmp_path: Path) -> None:
    record = measured(tmp_path, name, "--quick")
    assert record["command"] == name
    assert record["lines"]
    of_operator = "operator" in str(record["lines"])
    assert of_operator == (name != "scaling" and library() is not None)


def test_training_is_measured_beside_autograd(tmp_path: Path) -> None:
    need_kernels()
    record = measured(tmp_path, "training", "--quick")
    assert [line["way"] for line in record["lines"]] == ["native", "autograd"]
    assert all(line["ms"] > 0 for line in record["lines"])


@pytest.mark.parametrize("kind", ["sqlite", "redis"])
def test_checkpoints_measures_a_store(
    kind: str, toy_models: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    store = f"sqlite:///{tmp_path}/streams.db"
    if kind == "redis":
        store = request.getfixturevalue("valkey_server").url
    where = ["--store", store, "--models", str(toy_models)]
    bounds = ["--model", "toy", "--streams", "3", "--rounds", "2"]
    record = measured(tmp_path, "checkpoints", *where, *bounds)
    assert record.pop("store") == kind
    if kind == "redis":
        assert record.pop("busiest_server_cpu_us") >= 0  # the system counts in larger steps
        assert record["redis_py_per_second"] > 0
    assert all(value > 0 for value in record.values())


def test_a_novelty_is_measured_beside_the_version_without(tmp_path: Path) -> None:
    record = measured(tmp_path, "novelty", "--quick")
    [line] = record["lines"]
    assert line["without_ms"] > 0 and line["with_ms"] > 0
