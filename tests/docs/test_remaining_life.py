"""docs/remaining-life.md: from an empty folder to hours left, by its blocks alone."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from examples.remaining_life.machine import hours_left, run_to_failure
from tests import live
from tests.docs import example, page

PAGE = page.read("remaining-life.md")


@pytest.mark.timeout(600)
def test_it_is_trained_served_and_tells(tmp_path: Path) -> None:
    trained, said = example.walk(PAGE, tmp_path)
    assert trained == "models/remaining-life/1\n"
    *told, last = said.splitlines()
    assert all(re.fullmatch(r"hour \d+: \d+ h left", line) for line in told)
    off = re.fullmatch(r"off by (.+) h over the last day of 3 machines", last)
    assert off is not None, last
    assert float(off[1]) < 8
    card = (tmp_path / "models/remaining-life/1/README.md").read_text()
    assert "samples of 16 sequences" in card
    assert (tmp_path / "docs/pictures/remaining-life.png").read_bytes().startswith(b"\x89PNG")


def test_a_machine_is_the_same_again_and_wears_out() -> None:
    for seed in range(20):
        readings = run_to_failure(seed)
        np.testing.assert_array_equal(readings, run_to_failure(seed))
        assert 40 < len(readings) < 250 and np.isfinite(readings).all()
        vibration = readings[:, 0]
        assert vibration[-5:].mean() > vibration[:20].mean() + 3


def test_hours_left_count_down_from_the_most_that_is_told() -> None:
    np.testing.assert_array_equal(hours_left(5, 3), [3, 3, 3, 2, 1])


def test_what_is_shown_is_what_is_run() -> None:
    program = "".join(
        path.read_text() for path in (live.ROOT / "examples/remaining_life").glob("*.py")
    )
    shown = 'Output(name="remaining", task="values", values=(Channel(name="life", unit="h"),))'
    stream = 'with client.stream(model="remaining-life", emit="every") as stream:'
    for line in (shown, stream):
        assert line in PAGE and line in program
