"""`python -m benchmarks reload`, bounded: versions come and go, and nobody notices."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests import live


def test_versions_change_under_load_without_a_failure(tmp_path: Path) -> None:
    output = tmp_path / "reload.json"
    command = [sys.executable, "-m", "benchmarks", "reload", "--output", str(output)]
    done = subprocess.run(
        [*command, "--requests", "600", "--streams", "8"],
        cwd=live.ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads(output.read_text())
    assert (record["answered"], record["failed"], record["disturbed"]) == (600, 0, 0), done.stdout
    assert min(record["by_version"].values()) > 0
    assert min(record["loads"], record["refused"], record["chunks"]) > 0
