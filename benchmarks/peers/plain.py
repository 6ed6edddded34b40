"""Bodies for the peers that leave the protocol to their user: nested JSON, and npy."""

from __future__ import annotations

import io
import json

import numpy as np

from benchmarks.peers.base import Ask, Floats


def json_ask(path: str, window: Floats) -> Ask:
    """{"x": [batch][steps][channels]} → {"logits": [batch][classes]}."""
    body = json.dumps({"x": [window.tolist()]}).encode()
    return Ask(path, {"Content-Type": "application/json"}, body, _logits)


def npy_ask(path: str, window: Floats) -> Ask:
    """The window as `numpy.save` writes it, the answer in JSON."""
    return Ask(path, {"Content-Type": "application/x-npy"}, npy(window), _logits)


def npy(window: Floats) -> bytes:
    """An npy file of float32 [1, steps, channels]."""
    body = io.BytesIO()
    np.save(body, window[None])
    return body.getvalue()


def _logits(answer: bytes) -> Floats:
    return np.array(json.loads(answer)["logits"], dtype=np.float32).ravel()
