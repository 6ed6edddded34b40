"""What the bundled model answers where nothing breaks."""

from __future__ import annotations

import numpy as np

from benchmarks.server import ROOT
from larnn_service.backend.model_repository import Repository, load_model
from tests.faults.recordings import Floats

MODEL = "larnn-har"


def uninterrupted(signals: list[Floats], steps: int, rows: int = 50) -> list[Floats]:
    """The logits [steps, classes] of each signal [steps, channels], in one process at a stretch.

    In chunks of `steps`, as they were sent: whatever differs then, a fault made.
    """
    model = load_model(Repository(ROOT / "models").newest(MODEL), "cpu")
    found: list[Floats] = []
    for first in range(0, len(signals), rows):
        some = signals[first : first + rows]
        state = {t.name: t.initial_array(len(some)) for t in model.manifest.contract.state}
        x = np.zeros((len(some), max(map(len, some)), some[0].shape[1]), dtype=np.float32)
        for row, each in zip(x, some, strict=True):
            row[: len(each)] = each
        parts = []
        for start in range(0, x.shape[1], steps):
            part = np.ascontiguousarray(x[:, start : start + steps])
            lengths = np.array([max(min(len(s) - start, part.shape[1]), 1) for s in some])
            logits, state = model.backend.run(part, lengths, state)
            parts.append(logits)
        whole = np.concatenate(parts, axis=1)
        found += [row[: len(each)] for row, each in zip(whole, some, strict=True)]
    return found
