"""What the protocol tells of server and models, as its REST and its gRPC form both have it."""

from __future__ import annotations

from typing import Any

from service import __version__
from service.backend.base import Model
from service.contract import INPUT, LENGTHS, LOGITS
from service.engine.engine import Engine
from service.settings import Settings

Described = dict[str, Any]
PLATFORM = "onnxruntime_onnx"
EXTENSIONS = [
    "binary_tensor_data",
    "model_configuration",
    "model_repository",
    "parameters",
    "sequence",
    "sequence(string_id)",
]


def server() -> Described:
    return {"name": "larnn-service", "version": __version__, "extensions": EXTENSIONS}


def model(engine: Engine, served: Model) -> Described:
    """Inputs and outputs without the state, which stays here."""
    manifest, contract = served.manifest, served.manifest.contract
    versions = [str(each.manifest.version) for each in engine.models.serving(manifest.name)]
    return {
        "name": manifest.name,
        "versions": sorted(versions, key=int),
        "platform": PLATFORM,
        "inputs": [
            _tensor(INPUT, "FP32", -1, -1, len(contract.channels)),
            _tensor(LENGTHS, "INT64", -1),
        ],
        "outputs": [_tensor(LOGITS, "FP32", -1, -1, len(contract.labels))],
    }


def config(served: Model, settings: Settings) -> Described:
    """As a client of this service may use the model: Triton's ModelConfig, without the state."""
    manifest, contract = served.manifest, served.manifest.contract
    idle = int(settings.idle_timeout * 1e6)
    return {
        "name": manifest.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": settings.max_sequences,
        "input": [
            _io(INPUT, "TYPE_FP32", -1, len(contract.channels)),
            _io(LENGTHS, "TYPE_INT64", 1) | {"reshape": {"shape": []}, "optional": True},
        ],
        "output": [_io(LOGITS, "TYPE_FP32", -1, len(contract.labels))],
        "sequence_batching": {"max_sequence_idle_microseconds": idle},
        "parameters": {
            "channels": {"string_value": ",".join(c.name for c in contract.channels)},
            "labels": {"string_value": ",".join(contract.labels)},
            "sample_rate_hz": {"string_value": f"{contract.sample_rate_hz:g}"},
        },
    }


def _tensor(name: str, datatype: str, *shape: int) -> Described:
    return {"name": name, "datatype": datatype, "shape": list(shape)}


def _io(name: str, data_type: str, *dims: int) -> Described:
    return {"name": name, "data_type": data_type, "dims": list(dims)}
