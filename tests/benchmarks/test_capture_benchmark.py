"""`python -m benchmarks capture`, bounded; what it says depends on the machine."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.capture import KINDS


def test_a_captured_chunk_is_measured_beside_another(tmp_path: Path) -> None:
    output = tmp_path / "record.json"
    bounded = ["--rounds", "1", "--connections", "1", "--files", "1"]
    done = CliRunner().invoke(app, ["capture", *bounded, "--output", str(output)])
    assert done.exit_code == 0, (done.output, done.exception)
    record = json.loads(output.read_text())
    assert tuple(row["kind"] for row in record["rows"]) == KINDS
    assert all(row["cpu_us"] > 0 for row in record["rows"])
    assert record["bytes"] > 0
