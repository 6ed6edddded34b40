"""/healthz, /readyz, /models, /docs and the shape of every other error."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from pydantic import TypeAdapter

from larnn_service.endpoints import openapi
from tests import live


def test_alive_and_ready(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}


def test_models_lists_contract_and_provider(client: httpx.Client) -> None:
    served = client.get("/models").json()
    [model] = served["models"]
    [version] = served["versions"]
    assert (version["name"], version["state"], version["answers"]) == ("toy", "serving", True)
    assert served["default"] == model["name"] == "toy"
    assert model["provider"] == "CPUExecutionProvider"
    assert model["channels"][0] == {"name": "left", "unit": "g"}
    assert [tensor["name"] for tensor in model["state"]] == ["total", "seen"]


def test_the_openapi_document_has_every_door_and_resolves(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    assert set(document["paths"]) == {
        "/healthz",
        "/readyz",
        "/metrics",
        "/models",
        "/models/{name}/load",
        "/models/{name}/unload",
        "/models/{name}/migrate",
        "/shed",
        "/classify",
        "/streams",
        "/streams/{stream_id}",
        "/streams/{stream_id}/steps",
        "/streams/{stream_id}/state",
        "/streams/{stream_id}/fork",
        "/v2",
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/repository/index",
        "/v2/repository/models/{name}/load",
        "/v2/repository/models/{name}/unload",
        *(
            f"/v2/models/{{name}}{version}{door}"
            for version in ("", "/versions/{version}")
            for door in ("", "/ready", "/config", "/infer", "/stats")
        ),
        "/v2/models/stats",
    }
    schemas = document["components"]["schemas"]
    references = str(document).split("'#/components/schemas/")[1:]
    assert references
    assert {reference.split("'")[0] for reference in references} <= set(schemas)
    assert client.get("/docs").status_code == 200


def test_the_document_is_made_once_and_not_in_the_event_loop(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[str] = []
    made = openapi.document

    def document(*about: Any) -> dict[str, Any]:
        tries.append("one")
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        return made(*about)

    monkeypatch.setattr(openapi, "document", document)
    with live.running(models=toy_models, model="toy") as url, ThreadPoolExecutor(4) as askers:
        told = list(askers.map(httpx.get, [f"{url}/openapi.json"] * 4))
    assert len({answer.content for answer in told}) == 1
    assert tries == ["one"]


def test_routes_are_ready_before_anybody_asks(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The framework makes what it needs of a route at the first request, if nobody has before."""
    adapters: list[Any] = []
    with live.running(models=toy_models, model="toy") as url:
        monkeypatch.setattr(TypeAdapter, "__init__", lambda self, *_, **__: adapters.append(self))
        assert httpx.get(f"{url}/unknown").status_code == 404
    assert not adapters


def test_every_door_shows_what_it_takes_and_gives(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    schemas = document["components"]["schemas"]
    for path, doors in document["paths"].items():
        for method, door in doors.items():
            assert door["summary"], path
            for place, body in {**door["responses"], "body": door.get("requestBody", {})}.items():
                for kind, content in body.get("content", {}).items():
                    if kind.endswith("json"):
                        schema = content["schema"]
                        example = _example(content, schemas)
                        assert example is not None, (method, path, place)
                        validator = jsonschema_rs.validator_for(
                            schema | {"components": document["components"]}
                        )
                        validator.validate(example)


def _example(content: dict[str, Any], schemas: dict[str, Any]) -> Any:
    """The door's own, or that of what it refers to."""
    if "example" in content:
        return content["example"]
    examples = schemas[content["schema"]["$ref"].rpartition("/")[2]].get("examples", [])
    return examples[0] if examples else None


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/classify", 405, "method_not_allowed"),
        ("POST", "/classify?logits=perhaps", 422, "bad_message"),
    ],
)
def test_the_frameworks_errors_have_the_one_shape(
    client: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert set(answer.json()) == {"type", "title", "status", "code", "detail"}
