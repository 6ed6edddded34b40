"""Examples of answers, for the OpenAPI document; endpoints have those of what they take."""

from __future__ import annotations

from typing import Any

_ANSWER = {"label": "LEFT", "probabilities": {"LEFT": 0.9, "RIGHT": 0.1}}
_VERSION = {
    "name": "wrist",
    "version": 1,
    "state": "serving",
    "answers": True,
    "streams": 3,
    "on_disk": True,
}
_CHANNELS, _LABELS = ["left", "right"], ["LEFT", "RIGHT"]
_INPUT = {"channels": [{"name": name, "unit": "g"} for name in _CHANNELS]}
_OUTPUT = {"name": "logits", "task": "classes", "labels": _LABELS, "dtype": "float32"}

EXAMPLES: dict[str, Any] = {
    "ClassifyAnswer": {"model": "wrist", "version": 1, "predictions": [_ANSWER]},
    "OpenedMessage": {
        "type": "opened",
        "stream": "ID",
        "model": "wrist",
        "version": 1,
        "position": 0,
        "durable": 0,
        "survives": "restart",
        "input": _INPUT,
        "channels": _CHANNELS,
        "labels": _LABELS,
        "outputs": [_OUTPUT],
    },
    "PredictionMessage": {"type": "prediction", **_ANSWER, "position": 2, "durable": 2},
    "Problem": {
        "type": "about:blank",
        "title": "Conflict",
        "status": 409,
        "code": "gap",
        "detail": "the chunk begins at step 9, the stream stands at 2: send from step 2 on",
        "expected_offset": 2,
    },
    "Models": {
        "default": "wrist",
        "models": [
            {
                "name": "wrist",
                "version": 1,
                "description": "LARNN for two gestures of a wrist",
                "provider": "CPUExecutionProvider",
                "operator": "native",
                "sample_rate_hz": 25.0,
                "explains": False,
                "data_terms": "The author's own recordings.",
                "vocabulary": None,
                "input": _INPUT,
                "channels": _INPUT["channels"],
                "labels": _LABELS,
                "outputs": [_OUTPUT],
                "state": [
                    {
                        "name": "hidden_0",
                        "shape": [64],
                        "dtype": "float32",
                        "description": "layer 0: hidden state",
                    }
                ],
                "context": [],
            }
        ],
        "versions": [_VERSION],
    },
    "WhichBody": {"version": 1},
    "Operated": {"versions": [_VERSION]},
    "Migrated": {"versions": [_VERSION], "migrated": 3},
    "ShedBody": {"share": 0.5},
    "Shed": {"shed": 100, "connections": 200},
}
"""By the names of the schemas."""
