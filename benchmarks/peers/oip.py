"""The Open Inference Protocol, which several peers speak: JSON, and its binary extension."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from benchmarks.peers.base import Ask, Floats

MODEL = "window"
PATH = f"/v2/models/{MODEL}/infer"


def json_ask(window: Floats) -> Ask:
    """The window's numbers as one flat list."""
    body = {"inputs": [_tensor(window) | {"data": window.ravel().tolist()}]}
    return Ask(PATH, {"Content-Type": "application/json"}, json.dumps(body).encode(), _json_logits)


def binary_ask(window: Floats) -> Ask:
    """The same with the numbers as bytes behind a JSON header, both ways."""
    body, headers = binary_body(_tensor(window), window)
    return Ask(PATH, headers, body, lambda answer: np.frombuffer(answer[-24:], dtype="<f4"))


def binary_body(
    tensor: dict[str, Any], data: Floats, **parameters: Any
) -> tuple[bytes, dict[str, str]]:
    """A request of one tensor, whose outputs come as bytes too, and its headers."""
    asked = {
        "parameters": {"binary_data_output": True, **parameters},
        "inputs": [tensor | {"parameters": {"binary_data_size": data.nbytes}}],
    }
    header = json.dumps(asked).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(header)),
    }
    return header + data.tobytes(), headers


def _tensor(window: Floats) -> dict[str, Any]:
    return {"name": "x", "datatype": "FP32", "shape": [1, *window.shape]}


def _json_logits(answer: bytes) -> Floats:
    return np.array(json.loads(answer)["outputs"][0]["data"], dtype=np.float32).ravel()
