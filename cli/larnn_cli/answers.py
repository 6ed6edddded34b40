"""An answer as fields and as a line of text, whatever the task of the model's output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from larnn_client import Answer, Step


def told(step: Step) -> dict[str, Any]:
    """What a step's answer holds, and below `outputs` the further outputs that were asked for."""
    further = {name: fields(each) for name, each in step.outputs.items()}
    return fields(step.answer) | ({"outputs": further} if further else {})


def shown(step: Step) -> str:
    """The answer as a line, and behind it each further output by its name."""
    further = [f"{name}: {line(each).strip()}" for name, each in step.outputs.items()]
    return "  ".join([line(step.answer), *further])


def fields(answer: Answer) -> dict[str, Any]:
    """What the answer holds: a label, probabilities, values, or a raw output."""
    from larnn_client import Classes, Raw, Values

    match answer:
        case Classes():
            return {"label": answer.label, "probabilities": dict(answer.probabilities)}
        case Values():
            return {"values": dict(answer.values)}
        case Raw():
            return {"output": answer.array.tolist()}
    return {"probabilities": dict(answer.probabilities)}


def line(answer: Answer) -> str:
    """The label and how likely it is, or each number by its name."""
    from larnn_client import Classes, Raw, Values

    match answer:
        case Classes():
            return f"{max(answer.probabilities.values()):6.1%}  {answer.label}"
        case Values():
            return "  ".join(f"{name} {value:.6g}" for name, value in answer.values.items())
        case Raw():
            return json.dumps(answer.array.tolist())
    return "  ".join(f"{label} {share:.1%}" for label, share in answer.probabilities.items())
