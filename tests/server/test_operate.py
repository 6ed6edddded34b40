"""The operator's doors, and versions asked for by name, against the running service."""

from __future__ import annotations

import io
import itertools
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from websockets.sync.client import connect

from larnn_service.app import create_app
from larnn_service.errors import StartupError
from larnn_service.settings import Settings
from tests import live, toy
from tests.server.test_access import KEYS, PHONE, TABLET, bearer
from tests.server.test_stream import Talk

WINDOW = {"sequences": [[[1, 2]]]}


@pytest.fixture
def operated(own_models: Path) -> Iterator[httpx.Client]:
    """A service of its own, whose folder has toy/1."""
    with (
        live.running(models=own_models, model="toy", request_timeout=600, versions=2) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client


def versions(client: httpx.Client) -> dict[int, str]:
    return {one["version"]: one["state"] for one in client.get("/models").json()["versions"]}


def test_load_and_unload_by_http(operated: httpx.Client, own_models: Path) -> None:
    toy.publish(own_models, version=2)
    loaded = operated.post("/models/toy/load")
    assert loaded.status_code == 200
    assert [
        (one["version"], one["state"], one["answers"]) for one in loaded.json()["versions"]
    ] == [
        (1, "serving", False),
        (2, "serving", True),
    ]
    assert operated.post("/classify", json=WINDOW).json()["version"] == 2
    assert operated.post("/models/toy/load", json={"version": 1}).status_code == 200
    assert operated.post("/classify", json=WINDOW).json()["version"] == 1
    unloaded = operated.post("/models/toy/unload", json={"version": 1})
    assert {v["version"]: v["state"] for v in unloaded.json()["versions"]} == {
        1: "available",
        2: "serving",
    }
    operated.post("/models/toy/unload")
    gone = operated.post("/classify", json=WINDOW)
    assert (gone.status_code, gone.json()["code"]) == (404, "unknown_model")


def test_what_cannot_be_loaded_is_told_the_operator_alone(
    operated: httpx.Client, own_models: Path
) -> None:
    (toy.publish(own_models, version=2) / "model.onnx").write_bytes(b"half")
    refused = operated.post("/models/toy/load")
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_model")
    assert "half copied" in refused.json()["detail"]
    assert versions(operated) == {1: "serving", 2: "refused"}
    assert "half copied" not in operated.get("/models").text
    for name, body, status, code in (
        ("nothing", None, 404, "unknown_model"),
        ("..%2Ftoy", None, 404, "not_found"),
        ("toy", {"version": 9}, 404, "unknown_model"),
        ("toy", {"version": 0}, 422, "bad_message"),
        ("toy", {"versions": 1}, 422, "bad_message"),
    ):
        answer = operated.post(f"/models/{name}/load", json=body)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_a_version_may_be_named_at_every_door(operated: httpx.Client, own_models: Path) -> None:
    toy.publish(own_models, version=2)
    operated.post("/models/toy/load")
    body = io.BytesIO()
    np.save(body, np.ones((1, 1, 2), np.float32))
    npy = {"content": body.getvalue(), "headers": {"Content-Type": "application/x-npy"}}
    for version in (1, 2):
        named = {"version": version}
        assert operated.post("/classify", json=WINDOW | named).json()["version"] == version
        address = f"/classify?version={version}"
        assert operated.post(address, **npy).json()["version"] == version  # type: ignore[arg-type]
        assert operated.post("/streams", json=named).json()["version"] == version
        url = live.websocket_url(str(operated.base_url).rstrip("/"))
        with connect(f"{url}?version={version}") as socket:
            assert Talk(socket).hear()["version"] == version
    unserved = operated.post("/classify", json=WINDOW | {"version": 3})
    assert (unserved.status_code, unserved.json()["code"]) == (404, "unknown_model")
    assert operated.post("/classify?version=new", **npy).json()["code"] == "bad_message"  # type: ignore[arg-type]


def test_a_websocket_stays_on_its_version_and_migrates_when_asked(
    operated: httpx.Client, own_models: Path
) -> None:
    url = live.websocket_url(str(operated.base_url).rstrip("/"))
    with connect(url) as socket:
        talk = Talk(socket)
        stream = talk.hear()["stream"]
        talk.chunk(0, [[1, 2]])
        toy.publish(own_models, version=2)
        operated.post("/models/toy/load")
        operated.post("/models/toy/unload", json={"version": 1})
        assert talk.chunk(1, [[1, 2]], logits=True)["logits"] == [2, 4, 2]
        assert versions(operated) == {1: "retired", 2: "serving"}
        assert operated.get(f"/streams/{stream}").json()["version"] == 1
        assert operated.post("/models/toy/migrate").json()["migrated"] == 1
        assert talk.chunk(2, [[1, 2]], logits=True)["logits"] == [3, 6, 3]
        assert versions(operated) == {1: "available", 2: "serving"}
        assert operated.get(f"/streams/{stream}").json()["version"] == 2


DOORS = ("load", "unload", "migrate")


def test_only_operators_may(own_models: Path) -> None:
    guarded = {"models": own_models, "model": "toy", "api_keys": KEYS}
    with (
        live.running(**guarded, operators="phone") as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        for door in DOORS:
            refused = client.post(f"/models/toy/{door}", headers=bearer(TABLET))
            assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
            assert "LARNN_OPERATORS" in refused.json()["detail"]
            assert client.post(f"/models/toy/{door}").status_code == 401
        assert client.post("/models/toy/load", headers=bearer(PHONE)).status_code == 200
        assert client.post("/shed", headers=bearer(TABLET)).status_code == 403
        alone = client.post("/shed", headers=bearer(PHONE))
        assert (alone.status_code, alone.json()["code"]) == (409, "conflict")
        page = {"Origin": "https://evil.example"} | bearer(PHONE)
        assert client.post("/models/toy/load", headers=page).status_code == 403


@pytest.mark.parametrize("open_to", [{"allow_anyone": True}, {"api_keys": KEYS}])
def test_nobody_may_where_no_operator_is_named(
    own_models: Path, open_to: dict[str, object]
) -> None:
    with live.running(models=own_models, model="toy", **open_to) as url:
        for door in DOORS:
            refused = httpx.post(f"{url}/models/toy/{door}", headers=bearer(PHONE), timeout=60)
            assert refused.status_code == 403


def test_an_operator_without_a_key_is_a_mistake(own_models: Path) -> None:
    for keys in ({}, {"api_keys": KEYS}):
        named = {"models": own_models, "model": "toy", "operators": "stranger"} | keys
        with pytest.raises(StartupError, match="LARNN_OPERATORS: stranger has no key"):
            create_app(Settings.model_validate(named))


def test_sighup_follows_the_folder(own_models: Path) -> None:
    with live.process(models=own_models, model="toy") as service:
        toy.publish(own_models, version=2)
        service.popen.send_signal(signal.SIGHUP)
        assert service.popen.stderr is not None
        for line in service.popen.stderr:
            if "toy/2 serves" in line:
                break
        answer = httpx.post(f"{service.url}/classify", json=WINDOW, timeout=60)
        assert answer.json()["version"] == 2


LOADING = """
import logging, os, signal, sys
from pathlib import Path
from larnn_service.process.server import prepare
from larnn_service.process.startup import read_settings, refusals
from tests import toy

class HangUp(logging.Handler):
    def emit(self, record=None):
        if record is None or "toy/1 on" in record.getMessage():
            toy.publish(Path(os.environ["LARNN_MODELS"]), version=2)
            signal.raise_signal(signal.SIGHUP)

with refusals():
    settings = read_settings([])
    if sys.argv[1] == "loading":
        logging.getLogger("larnn_service.app").addHandler(HangUp())
    server = prepare(settings)
    if sys.argv[1] == "loaded":
        HangUp().emit()
    server.run()
"""


@pytest.mark.parametrize("when", ["loading", "loaded"])
def test_sighup_after_the_folder_was_read_is_remembered(own_models: Path, when: str) -> None:
    command = [sys.executable, "-c", LOADING, when]
    packages = {"PYTHONPATH": os.pathsep.join(live.PACKAGES)}
    own = live.environment(models=own_models, model="toy", port=0)
    with live.started(command, os.environ | packages | own, live.ROOT) as service:
        assert service.popen.stderr is not None
        lines = itertools.chain(service.log, service.popen.stderr)
        assert any("toy/2 serves" in line for line in lines)
