"""What the protocol tells of server and models, as its REST and its gRPC form both have it."""

from __future__ import annotations

from typing import Any

from larnn_service import __version__
from larnn_service.contract import INPUT, LENGTHS
from larnn_service.endpoints.oip.schemas import ModelMetadata, ServerMetadata, TensorMetadata
from larnn_service.endpoints.oip.tensors import DATATYPES, INT64, input_datatype
from larnn_service.engine.engine import Engine
from larnn_service.interfaces import Model
from larnn_service.settings import Settings
from larnn_service.tensors import ContextTensor

PLATFORM = "onnxruntime_onnx"
EXTENSIONS = [
    "binary_tensor_data",
    "model_configuration",
    "model_repository",
    "parameters",
    "sequence",
    "sequence(string_id)",
]


def server() -> ServerMetadata:
    """What answers, and which extensions of the protocol it has."""
    return ServerMetadata("larnn-service", __version__, EXTENSIONS)


def model(engine: Engine, served: Model) -> ModelMetadata:
    """Inputs and outputs without the state, which stays here."""
    manifest, contract = served.manifest, served.manifest.contract
    versions = [str(each.manifest.version) for each in engine.models.serving(manifest.name)]
    inputs = [
        TensorMetadata(INPUT, input_datatype(contract), [-1, -1, contract.input.width]),
        TensorMetadata(LENGTHS, INT64, [-1]),
        *(
            TensorMetadata(tensor.name, DATATYPES[tensor.dtype], [-1, *tensor.shape])
            for tensor in contract.context
        ),
    ]
    outputs = [
        TensorMetadata(output.name, DATATYPES[output.dtype], [-1, -1, *output.step_shape])
        for output in contract.outputs
    ]
    return ModelMetadata(manifest.name, sorted(versions, key=int), PLATFORM, inputs, outputs)


def config(served: Model, settings: Settings) -> dict[str, Any]:
    """As a client of this service may use the model: Triton's ModelConfig, without the state."""
    manifest, contract = served.manifest, served.manifest.contract
    idle = int(settings.idle_timeout * 1e6)
    return {
        "name": manifest.name,
        "platform": PLATFORM,
        "backend": "onnxruntime",
        "max_batch_size": settings.max_sequences,
        "input": [
            _io(INPUT, f"TYPE_{input_datatype(contract)}", -1, contract.input.width),
            _io(LENGTHS, "TYPE_INT64", 1) | {"reshape": {"shape": []}, "optional": True},
            *(_context(tensor) for tensor in contract.context),
        ],
        "output": [
            _io(output.name, f"TYPE_{DATATYPES[output.dtype]}", -1, *output.step_shape)
            for output in contract.outputs
        ],
        "sequence_batching": {"max_sequence_idle_microseconds": idle},
        "parameters": {
            "channels": {"string_value": ",".join(c.name for c in contract.input.channels)},
            "input": {"string_value": contract.input.model_dump_json()},
            "labels": {"string_value": ",".join(contract.labels)},
            **(
                {"sample_rate_hz": {"string_value": f"{contract.sample_rate_hz:g}"}}
                if contract.sample_rate_hz is not None
                else {}
            ),
        },
    }


def _context(tensor: ContextTensor) -> dict[str, Any]:
    """As `_io`; a number has no axis but the batch's, which this form of the protocol cannot say
    but by a reshape."""
    told = _io(tensor.name, f"TYPE_{DATATYPES[tensor.dtype]}", *(tensor.shape or (1,)))
    reshaped: dict[str, Any] = {} if tensor.shape else {"reshape": {"shape": []}}
    return told | reshaped | {"optional": tensor.default is not None}


def _io(name: str, data_type: str, *dims: int) -> dict[str, Any]:
    return {"name": name, "data_type": data_type, "dims": list(dims)}
