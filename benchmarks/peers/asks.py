"""How peers are asked: nested JSON and npy, where they leave that to their user, and the Open
Inference Protocol, as JSON and with its binary extension."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.peers.base import MODEL, Ask, Floats

JSON = {"Content-Type": "application/json"}
NPY = {"Content-Type": "application/x-npy"}
OIP_PATH = f"/v2/models/{MODEL}/infer"


def plain_json(path: str) -> Callable[[Floats], Ask]:
    """{"x": [batch][steps][channels]} → {"logits": [batch][classes]}."""
    return lambda window: Ask(path, JSON, json.dumps({"x": [window.tolist()]}).encode(), _logits)


def plain_npy(path: str) -> Callable[[Floats], Ask]:
    """The window as `numpy.save` writes it, the answer in JSON."""
    return lambda window: Ask(path, NPY, npy(window), _logits)


def npy(window: Floats) -> bytes:
    """An npy file of float32 [1, steps, channels]."""
    body = io.BytesIO()
    np.save(body, window[None])
    return body.getvalue()


def _oip_json(window: Floats) -> Ask:
    """The window's numbers as one flat list."""
    body = {"inputs": [tensor(window) | {"data": window.ravel().tolist()}]}
    return Ask(OIP_PATH, JSON, json.dumps(body).encode(), _oip_logits)


def _oip_binary(window: Floats) -> Ask:
    """The same with the numbers as bytes behind a JSON header, both ways."""
    body, headers = binary_body(window)
    return Ask(OIP_PATH, headers, body, lambda answer: np.frombuffer(answer[-24:], dtype="<f4"))


OIP = {"JSON": _oip_json, "binary": _oip_binary}


def binary_body(window: Floats, **parameters: Any) -> tuple[bytes, dict[str, str]]:
    """A request of one window, whose outputs come as bytes too, and its headers."""
    asked = {
        "parameters": {"binary_data_output": True, **parameters},
        "inputs": [tensor(window) | {"parameters": {"binary_data_size": window.nbytes}}],
    }
    header = json.dumps(asked).encode()
    headers = {
        "Content-Type": "application/octet-stream",
        "Inference-Header-Content-Length": str(len(header)),
    }
    return header + window.tobytes(), headers


def tensor(window: Floats) -> dict[str, Any]:
    return {"name": "x", "datatype": "FP32", "shape": [1, *window.shape]}


def _logits(answer: bytes) -> Floats:
    return np.array(json.loads(answer)["logits"], dtype=np.float32).ravel()


def _oip_logits(answer: bytes) -> Floats:
    return np.array(json.loads(answer)["outputs"][0]["data"], dtype=np.float32).ravel()
