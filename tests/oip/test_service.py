"""What the service's other rules mean for /v2: keys, operators, restarts, the OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests import live, toy
from tests.oip.chunks import WINDOW
from tests.oip.test_http import infer
from tests.server.test_access import KEYS, PHONE, TABLET, bearer

BODY = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1, 2], "data": [1, 2]}]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    toy.publish(tmp_path)
    return tmp_path


@pytest.fixture
def guarded(folder: Path) -> Iterator[httpx.Client]:
    """A service of its own with keys; the phone's owner operates it."""
    settings: dict[str, Any] = {"api_keys": KEYS, "operators": "phone", "versions": 2}
    with (
        live.running(models=folder, model="toy", **settings) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client


def test_every_door_but_health_asks_for_a_key(guarded: httpx.Client) -> None:
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert guarded.get(path).status_code == 200
    doors = [
        ("GET", "/v2"),
        ("GET", "/v2/models/toy"),
        ("GET", "/v2/models/toy/ready"),
        ("GET", "/v2/models/toy/versions/1/config"),
        ("POST", "/v2/models/toy/infer"),
        ("POST", "/v2/repository/index"),
        ("POST", "/v2/repository/models/toy/unload"),
        ("GET", "/v2/no-such-door"),
    ]
    for method, path in doors:
        refused = guarded.request(method, path)
        assert refused.status_code == 401
        assert refused.json()["code"] == "unauthorized"
        assert "Authorization: Bearer KEY" in refused.json()["error"]
        assert refused.headers["WWW-Authenticate"] == "Bearer"


def test_a_sequence_is_its_owners_alone(guarded: httpx.Client) -> None:
    def ask(key: str, **parameters: Any) -> httpx.Response:
        body = BODY | {"parameters": {"sequence_id": 5, **parameters}}
        return guarded.post("/v2/models/toy/infer", json=body, headers=bearer(key))

    assert ask(PHONE, sequence_start=True).status_code == 200
    stranger = ask(TABLET)
    assert (stranger.status_code, stranger.json()["code"]) == (404, "unknown")
    assert ask(TABLET, sequence_start=True).json()["parameters"]["position"] == 1
    assert ask(PHONE).json()["parameters"]["position"] == 2


def test_an_operator_loads_and_unloads(guarded: httpx.Client, folder: Path) -> None:
    toy.publish(folder, version=2)
    client = triton.InferenceServerClient(str(guarded.base_url.netloc, "ascii"))
    operator, other = bearer(PHONE), bearer(TABLET)

    def index(**options: Any) -> dict[str, str]:
        found = client.get_model_repository_index(headers=operator)
        return {entry["version"]: entry["state"] for entry in found}

    assert index() == {"1": "READY", "2": "UNAVAILABLE"}
    with pytest.raises(InferenceServerException, match="only an operator"):
        client.load_model("toy", headers=other)
    client.load_model("toy", headers=operator)
    assert index() == {"1": "READY", "2": "READY"}
    ready = guarded.post("/v2/repository/index", json={"ready": True}, headers=operator).json()
    assert [entry["version"] for entry in ready] == ["1", "2"]
    assert client.get_model_metadata("toy", headers=operator)["versions"] == ["1", "2"]
    with pytest.raises(InferenceServerException, match="no other configuration"):
        client.load_model("toy", headers=operator, config="{}")
    client.unload_model("toy", headers=operator)
    assert not client.is_model_ready("toy", headers=operator)
    with pytest.raises(InferenceServerException, match="no such model") as raised:
        client.get_model_metadata("toy", headers=operator)
    assert raised.value.status() == "404"
    client.close()


def test_a_sequence_goes_on_while_its_model_is_unloaded(
    guarded: httpx.Client, folder: Path
) -> None:
    def ask(**parameters: Any) -> httpx.Response:
        body = BODY | {"parameters": {"sequence_id": "mine", **parameters}}
        return guarded.post("/v2/models/toy/infer", json=body, headers=bearer(PHONE))

    assert ask(sequence_start=True).status_code == 200
    unloaded = guarded.post("/v2/repository/models/toy/unload", headers=bearer(PHONE))
    assert unloaded.status_code == 200
    [entry] = guarded.post("/v2/repository/index", headers=bearer(PHONE)).json()
    assert entry["state"] == "UNLOADING"
    assert ask().json()["parameters"]["position"] == 2
    refused = guarded.post("/v2/models/toy/infer", json=BODY, headers=bearer(PHONE))
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_model")


def test_a_sequence_outlives_a_restart(toy_models: Path, tmp_path: Path) -> None:
    settings = {"models": toy_models, "model": "toy", "store": f"sqlite:///{tmp_path}/streams.db"}
    for place in range(3):
        with live.running(**settings) as url:
            client = triton.InferenceServerClient(url.removeprefix("http://"))
            first: dict[str, Any] = {"sequence_id": 5, "sequence_start": place == 0}
            count = infer(client, [WINDOW[:1]], **first)[0, 0, 2]
            assert count == place + 1
            client.close()


def test_bodies_are_bounded(toy_models: Path) -> None:
    with live.running(models=toy_models, model="toy", max_chunk_steps=2, max_body=400) as url:
        large = httpx.post(f"{url}/v2/models/toy/infer", content=b" " * 401, timeout=60)
        assert (large.status_code, large.json()["code"]) == (413, "too_large")
        client = triton.InferenceServerClient(url.removeprefix("http://"))
        with pytest.raises(InferenceServerException, match="at most 2") as raised:
            infer(client, [WINDOW], sequence_id=1, sequence_start=True)
        assert raised.value.status() == "413"
        client.close()


def test_the_document_has_the_doors_with_their_bodies(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    infer_door = document["paths"]["/v2/models/{name}/infer"]["post"]
    schema = infer_door["requestBody"]["content"]["application/json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/InferBody"}
    assert {"InferBody", "InferAnswer", "InferError"} <= document["components"]["schemas"].keys()
