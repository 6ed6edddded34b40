"""Reading what a service has captured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from larnn_service.telemetry.tags import tag

Steps = NDArray[np.float32]


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*/*/*.parquet"))


def table(folder: Path) -> pl.DataFrame:
    """Of all files."""
    return pl.concat([pl.read_parquet(file) for file in files(folder)], how="vertical_relaxed")


def of_stream(folder: Path, stream: str) -> pl.DataFrame:
    """Its rows in order; `stream` is its id."""
    return table(folder).filter(pl.col("stream") == tag(stream)).sort("position")


def channels(rows: pl.DataFrame) -> Steps:
    """The toy's [rows, 2]."""
    return rows.select("left", "right").to_numpy()


def outcomes(metrics: str) -> dict[str, Any]:
    """Steps by what became of them, of the text of /metrics."""
    prefix = 'larnn_captured_steps_total{outcome="'
    lines = [line for line in metrics.splitlines() if line.startswith(prefix)]
    return {line.split('"')[1]: float(line.split()[-1]) for line in lines}
