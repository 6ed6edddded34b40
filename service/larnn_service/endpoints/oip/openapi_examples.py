"""An example of each answer, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

_X = {"name": "x", "datatype": "FP32", "shape": [-1, -1, 2]}
_LOGITS = {"name": "logits", "datatype": "FP32", "shape": [-1, -1, 2]}

EXAMPLES: dict[str, Any] = {
    "InferAnswer": {
        "model_name": "wrist",
        "model_version": "1",
        "outputs": [_LOGITS | {"shape": [1, 1, 2], "data": [1.5, -0.5]}],
        "parameters": {
            "sequence_id": 7,
            "sequence_start": True,
            "sequence_end": False,
            "position": 1,
            "durable": 1,
        },
    },
    "InferError": {
        "error": "input x: its datatype is FP64; send FP32",
        "code": "bad_message",
    },
    "IndexEntry": {"name": "wrist", "version": "1", "state": "READY", "reason": ""},
    "ServerLive": {"live": True},
    "ServerReady": {"ready": True},
    "ServerMetadata": {
        "name": "larnn-service",
        "version": "0.1.0",
        "extensions": ["binary_tensor_data", "sequence"],
    },
    "ModelReady": {"name": "wrist", "ready": True},
    "ModelMetadata": {
        "name": "wrist",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [_X, {"name": "lengths", "datatype": "INT64", "shape": [-1]}],
        "outputs": [_LOGITS],
    },
}
"""By the names of the schemas."""
CONFIG = {
    "name": "wrist",
    "max_batch_size": 1024,
    "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [-1, 2]}],
    "output": [{"name": "logits", "data_type": "TYPE_FP32", "dims": [-1, 2]}],
}
