"""A signal for the toy and the logits of its uninterrupted run, exact in float32."""

from __future__ import annotations

import numpy as np

from larnn_client import Prediction

STEPS = 60
SIGNAL = np.random.default_rng(0).integers(-4, 5, size=(STEPS, 2)).astype(np.float32)
TRUTH = np.concatenate([SIGNAL.cumsum(0), np.arange(1, STEPS + 1)[:, None]], axis=1)


def check(predictions: list[Prediction], edges: list[int]) -> None:
    """Each chunk is answered once, in order; each of its steps as in the uninterrupted run."""
    assert [prediction.position for prediction in predictions] == edges[1:]
    for start, end, prediction in zip(edges[:-1], edges[1:], predictions, strict=True):
        assert prediction.steps is not None
        logits = [step.logits for step in prediction.steps]
        assert logits == [tuple(row) for row in TRUTH[start:end]]
        assert prediction.logits == logits[-1]
