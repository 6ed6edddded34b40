"""The pages show what the result files hold; the commands that measure it exist."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import page
from benchmarks.published import TABLES
from tests import live


@pytest.mark.parametrize("file", page.PAGES, ids=lambda file: file.name)
def test_the_tables_are_those_of_the_results(file: Path) -> None:
    text = file.read_text()
    assert page.filled(text) == text, "python -m benchmarks page"


def test_a_result_that_names_its_graph_is_of_the_committed_model() -> None:
    named = [
        record
        for file in page.RESULTS.glob("*.json")
        if "graph_sha256" in (record := json.loads(file.read_text()))
    ]
    assert named
    for record in named:
        manifest = json.loads((live.ROOT / "models" / record["model"] / "model.json").read_text())
        assert record["graph_sha256"] == manifest["graph"]["sha256"], record["command"]


def test_the_comparison_of_trees_is_told_with_its_gates() -> None:
    """Its table stands on no page: decision 48 tells a part of it."""
    rows = page.result("trees")["rows"]
    lines = TABLES["trees"](page.result("trees")).splitlines()[2:]
    for row, line in zip(rows, lines, strict=True):
        assert line.startswith(f"| {row['name']} | ")
        assert ("met" in line) == (row["met"] is True)
