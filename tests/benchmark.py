"""A command that measures, bounded, and the record that it writes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests import live


def measured(folder: Path, *arguments: str, module: str = "benchmarks") -> Any:
    """What `python -m MODULE ARGUMENTS` has written, once it has ended well."""
    done, record = run(folder, *arguments, module=module)
    assert done.returncode == 0, done.stdout + done.stderr
    return record


def run(folder: Path, *arguments: str, module: str) -> tuple[subprocess.CompletedProcess[str], Any]:
    """However it ended."""
    output = folder / "record.json"
    command = [sys.executable, "-m", module, *arguments, "--output", str(output)]
    done = subprocess.run(command, cwd=live.ROOT, capture_output=True, text=True)
    assert output.exists(), done.stdout + done.stderr
    return done, json.loads(output.read_text())
