"""From the protocol's gRPC messages to a request without its wire, and back."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2 as pb

from larnn_service.endpoints.oip.inference import Asked, Inferred
from larnn_service.endpoints.oip.parameters import Value, check_offered
from larnn_service.endpoints.oip.schemas import MOST_PARAMETERS, MOST_TENSORS
from larnn_service.endpoints.oip.tensors import (
    DATATYPES,
    FP32,
    INT64,
    Tensor,
    from_bytes,
    from_numbers,
)
from larnn_service.errors import BadMessage, ServiceError, quoted
from larnn_service.wire.answer_arrays import little_endian

MOST_AXES = 9
"""Of a shape: one more than any that is looked at."""
PIECE = 2**12
"""Numbers that are read in one call."""
NUMBER = 8
"""Bytes that count for each number of contents."""
_CONTENTS = {
    FP32: "fp32_contents",
    "FP64": "fp64_contents",
    INT64: "int64_contents",
    "UINT64": "uint64_contents",
    "BOOL": "bool_contents",
}
_CONTENTS |= dict.fromkeys(("INT8", "INT16", "INT32"), "int_contents")
_CONTENTS |= dict.fromkeys(("UINT8", "UINT16", "UINT32"), "uint_contents")


def asked(request: Any) -> Asked:
    """What a ModelInferRequest asks. Raises BadMessage."""
    raw = request.raw_input_contents
    if max(len(request.inputs), len(request.outputs)) > MOST_TENSORS:
        raise BadMessage(f"more than {MOST_TENSORS} inputs or outputs")
    if raw and len(raw) != len(request.inputs):
        raise BadMessage(f"{len(raw)} raw_input_contents for {len(request.inputs)} inputs")
    for tensor in (*request.inputs, *request.outputs):
        check_offered(quoted(tensor.name), _parameters(tensor))
    return Asked(
        request.model_name,
        request.model_version,
        [
            _tensor(tensor, raw[index] if raw else None)
            for index, tensor in enumerate(request.inputs)
        ],
        [quoted(output.name) for output in request.outputs],
        _parameters(request),
    )


def _tensor(tensor: Any, raw: bytes | None) -> Tensor:
    name, datatype = quoted(tensor.name), quoted(tensor.datatype)
    if raw is not None:
        if tensor.HasField("contents"):
            raise BadMessage(f"input {name}: send contents or raw_input_contents, not both")
        size, read = len(raw), partial(from_bytes, name, datatype, raw)
    else:
        numbers = getattr(tensor.contents, _CONTENTS.get(datatype, "fp32_contents"))
        size, read = NUMBER * len(numbers), partial(_from_repeated, name, datatype, numbers)
    return Tensor(name, datatype, tuple(tensor.shape[:MOST_AXES]), size, read)


def _from_repeated(name: str, datatype: str, numbers: Any) -> NDArray[Any]:
    """An array of a field's numbers. Each is an object, so they are read in pieces."""
    places = range(0, max(len(numbers), 1), PIECE)
    pieces = [from_numbers(name, datatype, numbers[place : place + PIECE]) for place in places]
    return np.concatenate(pieces)


def _parameters(message: Any) -> dict[str, Value]:
    """Those that are set: each is one of several kinds. Raises BadMessage."""
    if len(message.parameters) > MOST_PARAMETERS:
        raise BadMessage(f"{len(message.parameters)} parameters; at most {MOST_PARAMETERS}")
    kinds = {
        name: value.WhichOneof("parameter_choice") for name, value in message.parameters.items()
    }
    return {name: getattr(message.parameters[name], kind) for name, kind in kinds.items() if kind}


def answer(request: Any, inferred: Inferred) -> Any:
    """A ModelInferResponse; its tensors are raw."""
    manifest, outputs = inferred.model.manifest, inferred.outputs
    return pb.ModelInferResponse(
        model_name=manifest.name,
        model_version=str(manifest.version),
        id=request.id,
        parameters={name: _parameter(value) for name, value in inferred.parameters.items()},
        outputs=[
            pb.ModelInferResponse.InferOutputTensor(
                name=name, datatype=DATATYPES[array.dtype.name], shape=array.shape
            )
            for name, array in outputs.items()
        ],
        raw_output_contents=[little_endian(array) for array in outputs.values()],
    )


def stream_error(request: Any, error: ServiceError) -> Any:
    """A ModelStreamInferResponse that says what is wrong with its request, if it was one."""
    told = pb.ModelInferResponse(parameters={"code": _parameter(error.code)})
    if isinstance(request, pb.ModelInferRequest):
        told.model_name, told.id = request.model_name, request.id
    return pb.ModelStreamInferResponse(error_message=error.detail, infer_response=told)


def _parameter(value: Value) -> Any:
    if isinstance(value, bool):
        return pb.InferParameter(bool_param=value)
    if isinstance(value, int):
        return pb.InferParameter(int64_param=value)
    return pb.InferParameter(string_param=str(value))
