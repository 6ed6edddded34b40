"""The OpenAPI document of every HTTP endpoint."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from msgspec import Struct
from starlette.responses import Response
from starlette.routing import Route

from larnn_service.endpoints.oip import openapi_examples as oip_examples
from larnn_service.endpoints.oip import schemas as oip
from larnn_service.endpoints.openapi_examples import EXAMPLES
from larnn_service.wire.http import NPY
from larnn_service.wire.http_schemas import (
    ClassifyAnswer,
    ClassifyBody,
    OpenBody,
    Problem,
    ShedBody,
    WhichBody,
)
from larnn_service.wire.stream_schemas import OpenedMessage, PredictionMessage, StepsBody

if TYPE_CHECKING:
    from larnn_service.endpoints.exchange import Endpoint

REQUESTS = (ClassifyBody, OpenBody, StepsBody, ShedBody, WhichBody)
BODIES = (*REQUESTS, ClassifyAnswer, OpenedMessage, PredictionMessage, Problem)


def takes(body: type[Struct], example: Any, **other_types: Any) -> dict[str, Any]:
    """OpenAPI for an endpoint that decodes its own body."""
    content = {"application/json": {"schema": reference(body), "example": example}, **other_types}
    return {"requestBody": {"required": True, "content": content}}


def npy_schema(what: str) -> dict[str, Any]:
    """OpenAPI for an array as `numpy.save` writes it."""
    return {"schema": {"type": "string", "format": "binary", "description": what}}


def query(name: str, kind: str, what: str) -> dict[str, Any]:
    """OpenAPI for a parameter in the address that may be left out."""
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": {"type": kind},
        "description": what,
    }


def gives(
    body: type[Struct], *statuses: int, success: int = 200, npy: str | None = None
) -> dict[int | str, dict[str, Any]]:
    """OpenAPI for an endpoint's answer, and the errors it may give instead; `npy`: it gives arrays
    too, of this."""
    problem = {"description": "what is wrong", "content": content(Problem, "problem+json")}
    told = content(body, "json") | ({} if npy is None else {NPY: npy_schema(f"arrays {npy}")})
    answer = {"description": body.__doc__ or "", "content": told}
    return {success: answer, **dict.fromkeys(statuses, problem)}


def operation(
    summary: str, tag: str, body: dict[str, Any], responses: dict[Any, Any], **more: Any
) -> dict[str, Any]:
    """OpenAPI for an endpoint that is reached before the framework."""
    told = {str(status): response for status, response in responses.items()}
    return {"summary": summary, "tags": [tag], **body, "responses": told, **more}


def add_document(app: FastAPI, endpoints: Sequence[Endpoint], root_path: str = "") -> None:
    """GET /openapi.json. The text is made once, in a thread: it takes long, and anyone may ask."""
    servers = {"servers": [{"url": root_path}]} if root_path else {}
    text, making = b"", asyncio.Lock()

    def made() -> bytes:
        return msgspec.json.encode(document(app, endpoints) | servers)

    async def get(_: Request) -> Response:
        nonlocal text
        async with making:
            text = text or await asyncio.to_thread(made)
        return Response(text, media_type="application/json")

    app.router.routes.append(Route("/openapi.json", get, include_in_schema=False))


def document(app: FastAPI, endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """The OpenAPI document of every endpoint, with the bodies' schemas in it."""
    schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
    for endpoint in endpoints:
        for route in endpoint.routes:
            path = schema["paths"].setdefault(route, {})
            told = endpoint.documentation
            named = [_path_parameter(name) for name in re.findall(r"{(\w+)}", route)]
            parameters = [*named, *told.get("parameters", [])]
            path[endpoint.method.lower()] = told | {"parameters": parameters}
    _, components = msgspec.json.schema_components(
        (*BODIES, *oip.BODIES), ref_template="#/components/schemas/{name}"
    )
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas.update(components)
    for asked in (*REQUESTS, *oip.REQUESTS):
        _take_null_for_absence(components[asked.__name__])
    for name, example in (EXAMPLES | oip_examples.EXAMPLES).items():
        schemas[name]["examples"] = [example]
    _refuse_by_problems(schema)
    return schema


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _take_null_for_absence(schema: dict[str, Any]) -> None:
    """What `wire.json_bodies` does, as JSON Schema says it."""
    for name, field in schema["properties"].items():
        if name not in schema.get("required", ()) and {"type": "null"} not in field.get(
            "anyOf", ()
        ):
            default = {"default": field.pop("default")} if "default" in field else {}
            schema["properties"][name] = {"anyOf": [field, {"type": "null"}], **default}


def _refuse_by_problems(schema: dict[str, Any]) -> None:
    """A parameter that does not fit is refused like everything else, not in FastAPI's own way."""
    for methods in schema["paths"].values():
        for door in methods.values():
            refusal = door["responses"].get("422")
            if refusal is not None:
                refusal["content"] = content(Problem, "problem+json")
    for name in ("HTTPValidationError", "ValidationError"):
        schema["components"]["schemas"].pop(name, None)


def content(body: type[Struct], kind: str) -> dict[str, Any]:
    """OpenAPI for a body of the type application/`kind`."""
    return {f"application/{kind}": {"schema": reference(body)}}


def reference(body: type[Struct]) -> dict[str, str]:
    """Where the OpenAPI document has the body's schema."""
    return {"$ref": f"#/components/schemas/{body.__name__}"}
