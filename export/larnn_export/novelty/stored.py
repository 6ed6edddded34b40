"""A score beside the weights of a run: its arrays, and what was measured when it was chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from larnn_export.checkpoint import CheckpointError
from larnn_export.novelty.prototypes import Prototypes
from larnn_export.novelty.score import Score
from larnn_export.novelty.statistics import Statistics

NOVELTY_FILE = "novelty.json"
ARRAYS_FILE = "novelty.safetensors"


def write_score(run: Path, score: Score, figures: Mapping[str, Any]) -> None:
    """Write RUN/novelty.safetensors and RUN/novelty.json, which has the figures."""
    statistics, prototypes = score.statistics, score.prototypes
    arrays = {
        "shift": statistics.shift,
        "deviation": statistics.deviation,
        "whitening": prototypes.whitening,
        "origin": prototypes.origin,
        "points": prototypes.points,
    }
    (run / ARRAYS_FILE).write_bytes(save(arrays))
    record = {
        "seconds": statistics.seconds,
        "rate_hz": statistics.rate_hz,
        "memory_seconds": score.memory_seconds,
        "threshold": score.threshold,
        **figures,
    }
    (run / NOVELTY_FILE).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


def read_score(run: Path) -> Score | None:
    """The score of a run; None where it has none. Raises CheckpointError."""
    if not (run / NOVELTY_FILE).is_file():
        return None
    try:
        record = json.loads((run / NOVELTY_FILE).read_text(encoding="utf-8"))
        arrays = load_file(run / ARRAYS_FILE)
        statistics = Statistics(
            arrays["shift"], arrays["deviation"], tuple(record["seconds"]), record["rate_hz"]
        )
        prototypes = Prototypes(arrays["whitening"], arrays["origin"], arrays["points"])
        return Score(statistics, prototypes, record["memory_seconds"], record["threshold"])
    except (KeyError, OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"{run}/novelty.* is damaged: {error}") from error
