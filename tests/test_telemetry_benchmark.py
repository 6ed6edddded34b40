"""`python -m benchmarks telemetry`, bounded; how much it says it is depends on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from benchmarks.telemetry import KINDS
from tests import live


def test_telemetry_is_measured_beside_none(tmp_path: Path) -> None:
    output = tmp_path / "telemetry.json"
    command = [sys.executable, "-m", "benchmarks", "telemetry", "--output", str(output)]
    done = subprocess.run(
        [*command, "--requests", "40", "--rounds", "2"],
        cwd=live.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = {row["kind"]: row for row in json.loads(output.read_text())["rows"]}
    assert tuple(rows) == KINDS
    assert rows["nothing"]["of_nothing"] == 1
    assert rows["metrics and traces"]["more_us"] > 0
