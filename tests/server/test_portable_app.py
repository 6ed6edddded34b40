"""The application under other ASGI servers than ours: uvicorn, hypercorn, and a test client."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import uvicorn
from hypercorn.asyncio import serve
from hypercorn.config import Config
from starlette.testclient import TestClient
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from larnn_service.app import create_app
from larnn_service.settings import Settings
from tests import live
from tests.server.test_binary_answers import V2
from tests.server.test_stream import Talk

STEPS = [[1.0, 2.0], [3.0, 4.0]]


@contextlib.contextmanager
def under_uvicorn(app: Any) -> Iterator[str]:
    """As `uvicorn larnn_service.asgi:app` runs it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(60)
            assert not thread.is_alive()


@contextlib.contextmanager
def under_hypercorn(app: Any) -> Iterator[str]:
    """As `hypercorn larnn_service.asgi:app` runs it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config, loop = Config(), asyncio.new_event_loop()
        config.bind = [f"fd://{listener.fileno()}"]
        config.errorlog = None
        config.graceful_timeout = 1
        ended = asyncio.Event()

        def run() -> None:
            loop.run_until_complete(serve(app, config, shutdown_trigger=ended.wait))
            loop.close()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            loop.call_soon_threadsafe(ended.set)
            thread.join(60)
            assert not thread.is_alive()
            listener.detach()


@pytest.fixture(params=[under_uvicorn, under_hypercorn], ids=["uvicorn", "hypercorn"])
def url(request: pytest.FixtureRequest, toy_models: Path) -> Iterator[str]:
    app = create_app(Settings(models=toy_models, model="toy"))
    with request.param(app) as url:
        yield url


def test_every_kind_of_request_is_answered_as_by_our_own_server(url: str, toy_url: str) -> None:
    window = np.array([STEPS], np.float32)
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 2, 2], "data": STEPS}
    with httpx.Client(timeout=60) as client:
        for method, path, body in (
            ("POST", "/classify", {"sequences": [STEPS], "logits": True}),
            ("POST", "/classify", {"sequences": [[[1]]]}),
            ("POST", "/v2/models/toy/infer", {"inputs": [tensor]}),
            ("GET", "/classify", None),
            ("GET", "/nowhere", None),
            ("POST", "/streams/made-up/steps", {"offset": 0, "steps": STEPS}),
        ):
            own, other = (client.request(method, base + path, json=body) for base in (toy_url, url))
            assert (own.status_code, own.json()) == (other.status_code, other.json())
            assert own.headers["content-type"] == other.headers["content-type"]
        assert client.get(f"{url}/readyz").json() == {"status": "ready"}
        head = np.lib.format.header_data_from_array_1_0(window)
        assert head["shape"] == (1, 2, 2)
        stream = client.post(f"{url}/streams").json()["stream"]
        body = {"offset": 0, "steps": STEPS}
        assert client.post(f"{url}/streams/{stream}/steps", json=body).json()["position"] == 2


def test_streams_over_websockets_behave_as_under_our_own_server(url: str) -> None:
    with connect(live.websocket_url(url)) as socket:
        talk = Talk(socket)
        stream = talk.hear()["stream"]
        assert talk.chunk(0, STEPS)["position"] == 2
        assert talk.chunk(9, STEPS)["code"] == "gap"
        assert talk.chunk(2, [[1]])["code"] == "bad_shape"
        for offset in range(2, 12, 2):  # sent ahead of the answers
            socket.send(json.dumps({"type": "chunk", "offset": offset, "steps": STEPS}))
        assert [talk.hear()["position"] for _ in range(5)] == [4, 6, 8, 10, 12]
        with connect(f"{live.websocket_url(url)}?stream={stream}") as newer:
            assert Talk(newer).hear()["position"] == 12
            assert talk.hear()["code"] == "moved"
            assert talk.close_code() == 4411
            assert Talk(newer).say({"type": "end"})["type"] == "ended"
            assert Talk(newer).close_code() == 1000


def test_binary_answers_too(url: str) -> None:
    with connect(live.websocket_url(url), subprotocols=V2) as socket:
        Talk(socket).hear()
        socket.send(struct.pack("<2Q", 0, 0) + np.array(STEPS, np.float32).tobytes())
        assert socket.recv(timeout=60) == struct.pack("<3Q3f", 2, 2, 1, 4, 6, 2)
        assert Talk(socket).say({"type": "end"}) == {"type": "ended", "position": 2}


def test_metrics_stay_where_nobody_opens_their_port(
    toy_models: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(Settings(models=toy_models, model="toy", metrics_port=9_000))
    assert "LARNN_METRICS_PORT: /metrics is here" in caplog.text
    with TestClient(app, base_url="http://127.0.0.1") as client:
        assert "larnn_ready 1.0" in client.get("/metrics").text


@pytest.mark.parametrize("host", [under_uvicorn, under_hypercorn], ids=["uvicorn", "hypercorn"])
def test_streams_are_stored_when_the_server_ends(
    host: Any, toy_models: Path, tmp_path: Path
) -> None:
    settings = Settings(
        models=toy_models,
        model="toy",
        store=f"sqlite:///{tmp_path}/streams.db",
        checkpoint_interval=600,
    )
    with contextlib.ExitStack() as clients:
        with host(create_app(settings)) as url:
            socket = clients.enter_context(connect(live.websocket_url(url)))
            talk = Talk(socket)
            stream = talk.hear()["stream"]
            assert talk.chunk(0, STEPS)["durable"] == 0
        with pytest.raises(ConnectionClosed):
            while True:
                socket.recv(60)
    with (
        host(create_app(settings)) as url,
        connect(f"{live.websocket_url(url)}?stream={stream}") as socket,
    ):
        assert Talk(socket).hear()["position"] == 2


def test_a_test_client_reaches_everything(toy_models: Path) -> None:
    app = create_app(Settings(models=toy_models, model="toy"))
    with TestClient(app, base_url="http://localhost") as client:
        answer = client.post("/classify", json={"sequences": [STEPS]})
        assert answer.json()["predictions"][0]["label"]
        with client.websocket_connect("ws://localhost/stream") as socket:
            assert socket.receive_json()["type"] == "opened"
            socket.send_json({"type": "chunk", "offset": 0, "steps": STEPS})
            assert socket.receive_json()["position"] == 2
            socket.send_json({"type": "end"})
            assert socket.receive_json() == {"type": "ended", "position": 2}
