"""What a client and an operator see of a store in trouble, and that the service comes back."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis

from tests import live, small_disk, valkey
from tests.until import until

FULL = {"status": "not ready", "store": "SQLite: database or disk is full"}


@contextlib.contextmanager
def service(models: Path, store: str, **more: Any) -> Iterator[httpx.Client]:
    settings = {"models": models, "model": "toy", "store": store, "store_timeout": 0.5}
    with (
        live.running(**settings | more) as url,
        httpx.Client(base_url=url, timeout=120) as client,
    ):
        yield client


def until_ready(client: httpx.Client) -> None:
    """It is, as soon as the store answers."""
    until(lambda: client.get("/readyz").is_success, "it does not get ready")
    assert client.post("/streams").status_code == 201


def is_unready(client: httpx.Client, body: dict[str, str]) -> None:
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()) == (503, body)
    assert client.get("/v2/health/ready").status_code == 503
    assert "larnn_ready 0.0" in client.get("/metrics").text
    assert client.get("/healthz").status_code == 200
    assert client.post("/classify", json={"sequences": [[[1, 2]]]}).status_code == 200


def test_a_locked_file_is_told_and_forgotten(
    toy_models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "streams.db"
    with service(toy_models, f"sqlite:///{file}") as client:
        with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for _ in range(3):
                assert client.post("/streams").json()["code"] == "unavailable"
            is_unready(client, {"status": "not ready", "store": "SQLite: database is locked"})
        until_ready(client)
    lines = [record.getMessage() for record in caplog.records if "store takes" in record.message]
    assert lines == [
        "the store takes no streams: SQLite: database is locked",
        "the store takes streams again",
    ]


def test_a_full_disk_is_told_and_heals_by_deleting(toy_models: Path, tmp_path: Path) -> None:
    with (
        small_disk.mounted(tmp_path / "disk", "2m") as disk,
        service(toy_models, f"sqlite:///{disk}/streams.db") as client,
    ):
        streams = [client.post("/streams").json()["stream"] for _ in range(20)]
        theirs = small_disk.fill(disk)
        while (answer := client.post("/streams")).status_code == 201:
            streams.append(answer.json()["stream"])
        assert answer.json()["code"] == "unavailable"
        is_unready(client, FULL)
        for stream in streams:
            assert client.delete(f"/streams/{stream}").status_code == 204
        theirs.unlink()
        until_ready(client)


@pytest.mark.usefixtures("valkey_program")
def test_a_server_that_went_away_is_told_without_its_address(
    toy_models: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with valkey.running(tmp_path) as server:
        with redis.Redis.from_url(server.url) as operator:
            operator.config_set("requirepass", "open-sesame")
        address = server.url.replace("127.0.0.1", ":open-sesame@127.0.0.1")
        with service(toy_models, address) as client:
            assert client.get("/readyz").json() == {"status": "ready"}
            server.kill()
            until(  # nothing else asked for the store
                lambda: client.get("/readyz").status_code != 200, "it says that it is ready"
            )
            is_unready(client, {"status": "not ready", "store": "Valkey: ConnectionError"})
            server.start()  # without a password: what is sent is refused no more
            with redis.Redis.from_url(server.url) as operator:
                operator.config_set("requirepass", "open-sesame")
            until_ready(client)
        assert "open-sesame" not in caplog.text and str(server.port) not in caplog.text


@pytest.mark.usefixtures("valkey_program")
def test_a_server_without_memory_is_told(toy_models: Path, tmp_path: Path) -> None:
    with (
        valkey.running(tmp_path) as server,
        service(toy_models, server.url) as client,
        redis.Redis.from_url(server.url) as operator,
    ):
        stream = client.post("/streams").json()["stream"]
        operator.config_set("maxmemory", 1)
        assert client.post("/streams").json()["code"] == "unavailable"
        is_unready(client, {"status": "not ready", "store": "Valkey: OutOfMemoryError"})
        assert client.get(f"/streams/{stream}").status_code == 200
        assert client.delete(f"/streams/{stream}").status_code == 204
        operator.config_set("maxmemory", 0)
        until_ready(client)
