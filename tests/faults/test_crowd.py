"""`python -m benchmarks crowd`, bounded: bad clients leave the others' streams alive and memory
bounded. How late the others' answers come is the full form's to say: it depends on the machine."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests import live


def test_floods_and_deaf_clients_harm_no_other_stream(tmp_path: Path) -> None:
    output = tmp_path / "crowd.json"
    command = [sys.executable, "-m", "benchmarks", "crowd", "--quick", "--output", str(output)]
    done = subprocess.run(command, cwd=live.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    record = json.loads(output.read_text())
    assert record["others_alive"] == record["streams"] - record["flooding"] - record["deaf"]
    assert record["alone"]["chunks"] == record["beside"]["chunks"] > 0
    assert record["bytes_per_idle_stream"] < 2**18
    assert record["resident_bytes"] < 2**29
