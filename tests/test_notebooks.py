"""The notebooks run from their first cell to their last, and say what they have kept of a run."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests import live, tools

tools.package("nbclient")
tools.package("ipykernel")

import nbformat  # noqa: E402

from examples import notebooks  # noqa: E402


def said(notebook: Any) -> list[str]:
    """What each cell prints, but for measured numbers, or that it shows a picture. A cell's lines
    may come in several outputs."""
    told = []
    for cell in notebook.cells:
        outputs = cell.get("outputs", ())
        texts = [each.get("text") or ", ".join(sorted(each["data"])) for each in outputs]
        told.append(re.sub(r"\d+\.\d+", "#", "".join(texts)))
    return told


@pytest.mark.parametrize("path", notebooks.NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_says_what_it_said(path: Path) -> None:
    kept = nbformat.read(path, as_version=4)
    now = said(notebooks.run(path))
    assert now == said(kept), "python examples/notebooks.py"
    assert "image/png, text/plain" in now


@pytest.mark.parametrize("path", notebooks.NOTEBOOKS, ids=lambda path: path.stem)
def test_it_has_nothing_of_the_machine_it_ran_on(path: Path) -> None:
    text = path.read_text()
    for place in (str(live.ROOT), os.path.expanduser("~"), "/tmp/"):
        assert place not in text
    assert len(text) < 200_000


def test_they_are_in_the_list_of_examples_and_the_documentation() -> None:
    assert len(notebooks.NOTEBOOKS) == 2
    for file in ("examples/README.md", "docs/README.md"):
        for path in notebooks.NOTEBOOKS:
            assert path.name in (live.ROOT / file).read_text(), file
