"""An answer as fields and as a line of text, whatever the task of the model's output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from larnn_client import Answer


def fields(answer: Answer) -> dict[str, Any]:
    """What the answer holds: a label, probabilities, values, or a raw output."""
    told: dict[str, Any] = {}
    if answer.label is not None:
        told["label"] = answer.label
    if answer.probabilities:
        told["probabilities"] = dict(answer.probabilities)
    if answer.values:
        told["values"] = dict(answer.values)
    if answer.output is not None:
        told["output"] = answer.output
    return told


def line(answer: Answer) -> str:
    """The label and how likely it is, or each number by its name."""
    if answer.label is not None:
        return f"{answer.probabilities[answer.label]:6.1%}  {answer.label}"
    if answer.probabilities:
        return "  ".join(f"{label} {share:.1%}" for label, share in answer.probabilities.items())
    if answer.values:
        return "  ".join(f"{name} {value:.6g}" for name, value in answer.values.items())
    return json.dumps(answer.output)
