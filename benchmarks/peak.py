"""The machine's peak: what no product can exceed."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_suffix(".cpp")


def multiply_adds_per_second() -> float | None:
    """Of one thread, in float32, with the widest vectors that the processor has; None where no
    compiler is installed."""
    if shutil.which("c++") is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        program = f"{folder}/peak"
        subprocess.run(["c++", "-O3", "-march=native", "-o", program, str(SOURCE)], check=True)
        return float(subprocess.run([program], check=True, capture_output=True, text=True).stdout)
