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
        "inputs": [_X, {"name": "lengths", "datatype": "INT64", "shape": [-1, 1]}],
        "outputs": [_LOGITS],
    },
    "Statistics": {
        "model_stats": [
            {
                "name": "wrist",
                "version": "1",
                "inference_count": 3,
                "execution_count": 2,
                "inference_stats": {
                    "success": {"count": 2, "ns": 4_000_000},
                    "fail": {"count": 0, "ns": 0},
                    "queue": {"count": 3, "ns": 300_000},
                    "compute_input": {"count": 2, "ns": 0},
                    "compute_infer": {"count": 2, "ns": 1_200_000},
                    "compute_output": {"count": 2, "ns": 0},
                    "cache_hit": {"count": 0, "ns": 0},
                    "cache_miss": {"count": 0, "ns": 0},
                },
            }
        ]
    },
}
"""By the names of the schemas."""
CONFIG = {
    "name": "wrist",
    "max_batch_size": 1024,
    "input": [{"name": "x", "data_type": "TYPE_FP32", "dims": [-1, 2]}],
    "output": [{"name": "logits", "data_type": "TYPE_FP32", "dims": [-1, 2]}],
}
