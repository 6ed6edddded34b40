"""docs/memories.md shows what the result files hold."""

from __future__ import annotations

from pathlib import Path

from benchmarks import page
from benchmarks.memories import QUICK, size
from larnn_export.families import FAMILIES
from larnn_export.questions import PUBLISHED
from larnn_service.native import library
from tests.benchmark import measured
from tests.docs import page as pages
from tests.docs import shell

TEXT = (page.DOCS / "memories.md").read_text()


def test_the_network_of_words_is_asked_as_written(har_url: str, tmp_path: Path) -> None:
    [asked] = [block.text for block in pages.blocks(TEXT) if block.text.startswith("curl")]
    told = shell.run(asked.replace("localhost:8000", har_url), tmp_path / "bin")
    assert '"model":"rra-imdb"' in told and '"label":"' in told


def test_families_of_one_size_are_compared() -> None:
    for family in FAMILIES.values():
        assert 65_000 < size(family.preset)["parameters"] < 68_000


def test_costs_are_measured(tmp_path: Path) -> None:
    rows = measured(tmp_path, "memories", "--quick")["rows"]
    native = [(PUBLISHED, "native")] if library() else []
    cells = [*((preset, "graph") for preset in QUICK), *native]
    assert [(row["preset"], row["operator"]) for row in rows] == cells
    for row in rows:
        assert min(value for value in row.values() if not isinstance(value, str)) > 0
