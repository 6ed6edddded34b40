"""`python -m benchmarks trees` and `loop`, bounded; what they say depends on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.callgrind import Callgrind
from benchmarks.server import ServerError
from benchmarks.trees import OTHER, ROWS, THIS, _started
from tests import live

ECHO = "import sys\nfor line in sys.stdin:\n    sum(range(int(line)))\n    print(flush=True)\n"
"""Works as long as it is told, then says so."""


def test_trees_measures_this_one_beside_itself(tmp_path: Path) -> None:
    names = ["steps-json-64"]
    bounded = ["--rounds", "1", "--seconds", "0.1"]
    printed, record = _run(tmp_path, "trees", str(live.ROOT), *bounded, *_only(names))
    assert [row["name"] for row in record["rows"]] == names
    for row in record["rows"]:
        assert row["name"] in printed
        assert isinstance(row["met"], bool)
        for tree in (THIS, OTHER):
            assert row[tree]["per_cpu_second"] > 0
            assert 0 < row[tree]["p50_ms"] <= row[tree]["p99_ms"]
    assert record["trees"][THIS] == record["trees"][OTHER]


def test_loop_measures_a_message(tmp_path: Path) -> None:
    names = ["chunks-binary", "v2-binary"]
    bounded = ["--rounds", "1", "--messages", "200", "--no-instructions"]
    printed, record = _run(tmp_path, "loop", *bounded, *_only(names))
    assert [row["name"] for row in record["rows"]] == names
    assert all(row["name"] in printed and len(row["cpu_us_rounds"]) == 1 for row in record["rows"])
    assert "Instructions: not asked for." in printed


def test_callgrind_counts_what_a_process_is_told_to_do(tmp_path: Path) -> None:
    if not Callgrind.is_here():
        pytest.skip("valgrind counts the instructions")
    callgrind = Callgrind(tmp_path)
    command = [*callgrind.command, sys.executable, "-I", "-S", "-c", ECHO]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin and process.stdout

        counts: list[int] = []
        for size in (1, 20_000, 40_000):
            print(size, file=process.stdin, flush=True)
            process.stdout.readline()
            if not counts:
                callgrind.count(process.pid)
            counts.append(callgrind.instructions())
        process.stdin.close()
    once, twice = counts[1] - counts[0], counts[2] - counts[1]
    assert 1.5 < twice / once < 2.5


def test_a_gate_is_met_from_its_own_side() -> None:
    by_name = {row.name: row for row in ROWS}
    assert by_name["classify-npy-64"].is_met(0.92) and not by_name["classify-npy-64"].is_met(0.91)
    assert by_name["classify-npy-1"].is_met(1.10) and not by_name["classify-npy-1"].is_met(1.11)
    assert by_name["chunks-binary-1"].is_met(9.0) is None


def test_a_tree_never_imports_the_sources_of_another(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "__main__.py").write_text("import larnn_service\n")
    with (
        pytest.raises(ServerError, match="No module named 'larnn_service'"),
        _started({THIS: tmp_path, OTHER: live.ROOT}, (THIS, OTHER)),
    ):
        pass


@pytest.mark.parametrize("command", [["trees", str(live.ROOT)], ["loop"]])
def test_a_row_that_is_unknown_is_refused_with_those_that_are_not(command: list[str]) -> None:
    done = CliRunner().invoke(app, [*command, "--only", "carrier-pigeon"])
    assert done.exit_code == 2
    assert "carrier-pigeon is no row" in done.output


def _only(names: list[str]) -> list[str]:
    return [part for name in names for part in ("--only", name)]


def _run(folder: Path, *arguments: str) -> tuple[str, Any]:
    """What the command prints and writes; in this process, which has imported it all once."""
    output = folder / "record.json"
    done = CliRunner().invoke(app, [*arguments, "--output", str(output)])
    assert done.exit_code == 0, (done.output, done.exception)
    return done.output, json.loads(output.read_text())
