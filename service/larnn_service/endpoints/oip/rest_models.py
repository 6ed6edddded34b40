"""/v2/models/NAME and /v2/models/NAME/versions/VERSION: a model's doors over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from fastapi.responses import Response
from msgspec import UNSET
from numpy.typing import NDArray

from larnn_service.api.body import read_body, unless_gone
from larnn_service.contract import LOGITS
from larnn_service.endpoints.oip import binary_tensors, metadata
from larnn_service.endpoints.oip.inference import Asked, Inference, Inferred, version_number
from larnn_service.endpoints.oip.openapi_examples import CONFIG
from larnn_service.endpoints.oip.parameters import check_offered
from larnn_service.endpoints.oip.schemas import (
    InferAnswer,
    InferBody,
    InferError,
    InputTensor,
    ModelMetadata,
    ModelReady,
    OutputTensor,
)
from larnn_service.endpoints.oip.tensors import DTYPES, FP32, Tensor, from_bytes, from_json
from larnn_service.engine.engine import Engine
from larnn_service.errors import BadMessage
from larnn_service.settings import Settings
from larnn_service.wire.arrays import decode_json
from larnn_service.wire.openapi import content, takes

_INFER = msgspec.json.Decoder(InferBody)
_CONFIGURED = {
    "description": "Triton's ModelConfig.",
    "content": {"application/json": {"schema": {"type": "object"}, "example": CONFIG}},
}
_EXAMPLE = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2, 9], "data": [0.0] * 18}],
}


def router(engine: Engine, inference: Inference, settings: Settings) -> APIRouter:
    routes = APIRouter(default_response_class=Response)

    @routes.get(
        "/ready",
        summary="A model takes requests",
        responses=says(ModelReady, 200, 503) | errors(404),
    )
    async def model_ready(name: str, version: str = "") -> Response:
        engine.model(name, version_number(version))
        return json(ModelReady(name, engine.ready), 200 if engine.ready else 503)

    @routes.get(
        "",
        summary="Inputs and outputs, without the state",
        responses=says(ModelMetadata) | errors(404),
    )
    async def model_metadata(name: str, version: str = "") -> Response:
        return json(metadata.model(engine, engine.model(name, version_number(version))))

    @routes.get("/config", summary="Configuration", responses={200: _CONFIGURED, **errors(404)})
    async def model_config(name: str, version: str = "") -> Response:
        return json(metadata.config(engine.model(name, version_number(version)), settings))

    @routes.post(
        "/infer",
        summary="Run whole sequences, or the next steps of one",
        openapi_extra=takes(InferBody, _EXAMPLE),
        responses=says(InferAnswer) | errors(400, 404, 409, 410, 413, 429, 503),
    )
    async def infer(request: Request, name: str, version: str = "") -> Response:
        """Steps [batch, steps, channels] to logits of each; `sequence_id` carries state on."""
        if request.headers.get("content-encoding", "identity") != "identity":
            raise BadMessage("Content-Encoding: send the body as it is, not compressed")
        head, data = binary_tensors.split(request, await read_body(request, settings.max_body))
        body = decode_json(_INFER, head)
        asked = Asked(name, version, _tensors(body, data), _outputs(body), body.parameters)
        return _answer(body, await unless_gone(request, inference(asked, request.state.owner)))

    return routes


def _tensors(body: InferBody, data: memoryview) -> list[Tensor]:
    parts = binary_tensors.parts(body.inputs, data)
    for tensor in body.inputs:
        check_offered(tensor.name, tensor.parameters)
    return [
        Tensor(each.name, each.datatype, tuple(each.shape), _reader(each, part))
        for each, part in zip(body.inputs, parts, strict=True)
    ]


def _reader(tensor: InputTensor, part: memoryview | None) -> Callable[[], NDArray[Any]]:
    if isinstance(tensor.data, msgspec.Raw):
        numbers = tensor.data
        return lambda: from_json(tensor.name, tensor.datatype, numbers)
    assert part is not None
    return lambda: from_bytes(tensor.name, tensor.datatype, part)


def _outputs(body: InferBody) -> list[str]:
    outputs = [] if body.outputs is UNSET else body.outputs
    for output in outputs:
        check_offered(output.name, output.parameters)
    return [output.name for output in outputs]


def _answer(body: InferBody, inferred: Inferred) -> Response:
    manifest, logits = inferred.model.manifest, inferred.logits
    tensor = OutputTensor(LOGITS, FP32, list(logits.shape))
    answer = InferAnswer(
        manifest.name, str(manifest.version), [tensor], body.id, inferred.parameters
    )
    by_default = body.parameters.get("binary_data_output", False)
    asked = body.outputs[0].parameters if body.outputs else {}
    if asked.get("binary_data", by_default):
        data = logits.astype(DTYPES[FP32], copy=False).tobytes()
        tensor.parameters = {"binary_data_size": len(data)}
        return binary_tensors.joined(answer, data)
    tensor.data = logits.ravel().tolist()
    return json(answer)


def says(body: type[msgspec.Struct], *statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI for what a door answers, with 200 unless told."""
    answer = {"description": body.__doc__ or "", "content": content(body, "json")}
    return dict.fromkeys(statuses or (200,), answer)


def errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI for the errors that a door may give."""
    problem = {"description": "what is wrong", "content": content(InferError, "json")}
    return dict.fromkeys(statuses, problem)


def json(body: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
