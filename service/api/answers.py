"""From logits to what a client reads: label and probabilities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from msgspec import UNSET

from service.api.messages import Answer
from service.backend.base import Floats


def softmax(logits: Floats) -> Floats:
    """Probabilities over the last axis."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    result: Floats = exponentials / exponentials.sum(axis=-1, keepdims=True)
    return result


def answers(logits: Floats, labels: Sequence[str], with_logits: bool) -> list[Answer]:
    """One answer for each row of logits [rows, classes]."""
    return [
        Answer(
            label=labels[best],
            probabilities=dict(zip(labels, probabilities, strict=True)),
            logits=row if with_logits else UNSET,
        )
        for best, probabilities, row in zip(
            logits.argmax(-1).tolist(), softmax(logits).tolist(), logits.tolist(), strict=True
        )
    ]
