"""docs/policy.md: from an empty folder to a balanced pole, by its blocks alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import live
from tests.docs import example, page

PAGE = page.read("policy.md")


@pytest.mark.timeout(600)
def test_it_is_trained_served_and_balances(tmp_path: Path) -> None:
    trained, said = example.walk(PAGE, tmp_path)
    assert trained == "models/pole/1\n"
    found = re.fullmatch(r"balanced 500 steps of 500; with its state thrown away (\d+)\n", said)
    assert found is not None, said
    assert int(found[1]) < 250  # what it remembers is what keeps the pole up
    assert (tmp_path / "docs/pictures/policy.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_shown_is_what_is_run() -> None:
    sources = (live.ROOT / "examples/policy").glob("*.py")
    program = "".join(path.read_text() for path in sources)
    assert 'Output(name="action", task="values", values=(Channel(name="force"' in PAGE
    assert 'Output(name="action", task="values", values=(Channel(name="force"' in program
    for line in ("stream.send([seen])", 'stream.receive(timeout=60).values["force"]'):
        assert line in PAGE and line in program
