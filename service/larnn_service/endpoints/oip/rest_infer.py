"""POST /v2/models/NAME/infer: whole sequences, or the next steps of a named one."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import msgspec
from msgspec import UNSET

from larnn_service.endpoints.decoding import Abandon, Decoding
from larnn_service.endpoints.exchange import Answer, Request, answering_aside
from larnn_service.endpoints.oip import binary_tensors
from larnn_service.endpoints.oip.inference import Asked, Inference, Inferred
from larnn_service.endpoints.oip.parameters import check_offered
from larnn_service.endpoints.oip.rest_models import errors, says
from larnn_service.endpoints.oip.schemas import InferAnswer, InferBody, InputTensor, OutputTensor
from larnn_service.endpoints.oip.tensors import (
    DATATYPES,
    Tensor,
    from_bytes,
    from_json,
)
from larnn_service.endpoints.openapi import operation, takes
from larnn_service.settings import Settings
from larnn_service.wire.answer_arrays import little_endian
from larnn_service.wire.http import Response
from larnn_service.wire.json_arrays import flat_json
from larnn_service.wire.json_bodies import decode_json
from larnn_service.wire.large_json import LARGE
from larnn_service.wire.measured import check_unsaid

_INFER = msgspec.json.Decoder(InferBody)
_BESIDE = 2**16
"""Bytes that a large body may have beside its numbers: so many parameters cost the loop nothing."""
_LARGE_ANSWER = 2**12
"""Numbers from which on an answer is best not encoded in the event loop."""
_EXAMPLE = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2, 9], "data": [0.0] * 18}],
}


class Infer:
    """Steps [batch, steps, channels] to outputs of each; `sequence_id` carries state on."""

    method = "POST"
    routes: tuple[str, ...] = (
        "/v2/models/{name}/infer",
        "/v2/models/{name}/versions/{version}/infer",
    )

    documentation: dict[str, Any] = operation(
        "Run whole sequences, or the next steps of one",
        "Open Inference Protocol",
        takes(InferBody, _EXAMPLE),
        says(InferAnswer) | errors(400, 404, 409, 410, 413, 429, 503),
        description=__doc__,
    )

    def __init__(self, inference: Inference, settings: Settings, decoding: Decoding) -> None:
        self.max_body = settings.max_body
        self._inference, self._decoding = inference, decoding

    def begin(self, request: Request, answer: Answer) -> Abandon:
        """Decode, run, encode. Raises what the decoder and the engine raise."""
        decode = partial(_decode, request, self._inference)

        def run(decoded: tuple[InferBody, Asked]) -> Abandon:
            body, asked = decoded
            encode, owner = partial(_answer, body), request.owner
            then = answering_aside(answer, encode, self._decoding, _is_large, owner)
            return self._inference.begin(asked, request.owner, then)

        if (size := len(request.body)) > LARGE:
            return self._decoding.begin(decode, run, answer, request.owner, size)
        return run(decode())


def _decode(request: Request, inference: Inference) -> tuple[InferBody, Asked]:
    """The body, and what it asks for. Its numbers are read when it is known what is taken."""
    name, version = request.parameters["name"], request.parameters.get("version", "")
    if request.head.query:
        check_unsaid(request.head.query, "say it in the parameters")
    head, data = binary_tensors.split(request.head, request.body)
    if data and not head:
        contract = inference.model(name, version).manifest.contract
        body = binary_tensors.raw(contract, len(data))
    else:
        body = decode_json(_INFER, head, _BESIDE)
    return body, Asked(name, version, _tensors(body, data), _outputs(body), body.parameters)


def _tensors(body: InferBody, data: memoryview) -> list[Tensor]:
    parts = binary_tensors.parts(body.inputs, data)
    for tensor in body.inputs:
        check_offered(tensor.name, tensor.parameters)
    return [_tensor(each, part) for each, part in zip(body.inputs, parts, strict=True)]


def _tensor(tensor: InputTensor, part: memoryview | None) -> Tensor:
    name, datatype = tensor.name, tensor.datatype
    if isinstance(tensor.data, msgspec.Raw):
        size, most = len(memoryview(tensor.data)), math.prod(tensor.shape)
        read = partial(from_json, name, datatype, most, tensor.data)
    else:
        assert part is not None
        size, read = len(part), partial(from_bytes, name, datatype, part)
    return Tensor(name, datatype, tuple(tensor.shape), size, read)


def _outputs(body: InferBody) -> list[str]:
    outputs = [] if body.outputs is UNSET else body.outputs
    for output in outputs:
        check_offered(output.name, output.parameters)
    return [output.name for output in outputs]


def _is_large(inferred: Inferred) -> bool:
    return sum(array.size for array in inferred.outputs.values()) > _LARGE_ANSWER


def _answer(body: InferBody, inferred: Inferred) -> Response:
    manifest, parts = inferred.model.manifest, []
    answer = InferAnswer(manifest.name, str(manifest.version), [], body.id, inferred.parameters)
    by_default = body.parameters.get("binary_data_output", False)
    asked = {output.name: output.parameters for output in body.outputs or []}
    for name, array in inferred.outputs.items():
        tensor = OutputTensor(name, DATATYPES[array.dtype.name], list(array.shape))
        if asked.get(name, {}).get("binary_data", by_default):
            parts.append(little_endian(array))
            tensor.parameters = {"binary_data_size": len(parts[-1])}
        else:
            text: Any = flat_json(array)
            tensor.data = text
        answer.outputs.append(tensor)
    return binary_tensors.joined(answer, parts) if parts else Response(msgspec.json.encode(answer))
