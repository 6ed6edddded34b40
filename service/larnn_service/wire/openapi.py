"""The bodies of the HTTP doors, and their place in the OpenAPI document."""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from msgspec import Struct, UnsetType

from larnn_service.endpoints.oip import openapi_examples as oip_examples
from larnn_service.endpoints.oip import schemas as oip
from larnn_service.wire.openapi_examples import EXAMPLES
from larnn_service.wire.stream_schemas import (
    Answer,
    OpenedMessage,
    PredictionMessage,
    StepsBody,
    Version,
)


class ClassifyBody(Struct, forbid_unknown_fields=True):
    """Sequences [batch][steps][channels], each of its own length, or texts [batch]."""

    sequences: list[list[list[float]]] | UnsetType = msgspec.UNSET
    texts: list[str] | UnsetType = msgspec.UNSET
    model: str | None = None
    version: Version | None = None
    logits: bool = False


class ClassifyAnswer(Struct):
    """One prediction a sequence, in order."""

    model: str
    version: int
    predictions: list[Answer]


class OpenBody(Struct, forbid_unknown_fields=True):
    """Which model a new stream runs on."""

    model: str | None = None
    version: Version | None = None


class Problem(Struct):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    expected_offset: int | UnsetType = msgspec.UNSET


BODIES = (
    ClassifyBody,
    ClassifyAnswer,
    OpenBody,
    StepsBody,
    OpenedMessage,
    PredictionMessage,
    Problem,
)


def takes(body: type[Struct], example: Any, **other_types: Any) -> dict[str, Any]:
    """OpenAPI for a door that decodes its own body."""
    content = {"application/json": {"schema": reference(body), "example": example}, **other_types}
    return {"requestBody": {"required": True, "content": content}}


def gives(
    body: type[Struct], *statuses: int, success: int = 200
) -> dict[int | str, dict[str, Any]]:
    """OpenAPI for a door's answer, and the errors it may give instead."""
    problem = {"description": "what is wrong", "content": content(Problem, "problem+json")}
    answer = {"description": body.__doc__ or "", "content": content(body, "json")}
    return {success: answer, **dict.fromkeys(statuses, problem)}


def document(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document with the bodies' schemas in it."""
    if app.openapi_schema is None:
        schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
        _, components = msgspec.json.schema_components(
            (*BODIES, *oip.BODIES), ref_template="#/components/schemas/{name}"
        )
        schemas = schema.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(components)
        for name, example in (EXAMPLES | oip_examples.EXAMPLES).items():
            schemas[name]["examples"] = [example]
        _refuse_by_problems(schema)
        app.openapi_schema = schema
    return app.openapi_schema


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
