"""What proxies, balancers and orchestrators need of a process: a path before its own, a port for
metrics, a new certificate, and time to be taken out of the balance."""

from __future__ import annotations

import contextlib
import signal
import socket
import ssl
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import httpx
import pytest
import trustme
from pydantic import ValidationError
from websockets.sync.client import connect

from larnn_service.errors import StartupError
from larnn_service.process.server import CONNECTIONS, Server
from larnn_service.settings import Settings
from tests import live
from tests.server.raw import GOOD
from tests.server.test_access import KEYS, PHONE, bearer
from tests.server.test_stream import Talk


@pytest.fixture(scope="module")
def behind(toy_models: Path) -> Iterator[live.Process]:
    """A service with a path before its own and a port for metrics."""
    settings = {"models": toy_models, "model": "toy", "api_keys": KEYS, "root_path": "/some/larnn"}
    with live.process(metrics_port=0, **settings) as process:
        yield process


@pytest.mark.parametrize("root", ["", "/some/larnn"])
def test_requests_may_have_the_path_before_their_own(behind: live.Process, root: str) -> None:
    """A proxy may take it away, or leave it."""
    with httpx.Client(base_url=behind.url + root, headers=bearer(PHONE), timeout=60) as client:
        assert client.get("/readyz").is_success
        assert client.post("/classify", content=GOOD).is_success
        opened = client.post("/streams")
        where = opened.headers["location"]
        assert where == f"/some/larnn/streams/{opened.json()['stream']}"
        assert httpx.get(behind.url + where, headers=bearer(PHONE)).is_success
        assert client.post(f"/streams/{opened.json()['stream']}/fork").headers["location"][:12] == (
            "/some/larnn/"
        )
        assert client.get("/openapi.json").json()["servers"] == [{"url": "/some/larnn"}]
        assert client.get("/web/app.js").is_success and client.get("/").is_success
    url = live.websocket_url(behind.url + root)
    with connect(url, additional_headers=bearer(PHONE)) as socket:
        assert Talk(socket).hear()["type"] == "opened"


@pytest.mark.parametrize("path", ["/some/larnner/readyz", "/some/readyz", "/larnn/readyz"])
def test_another_path_is_none(behind: live.Process, path: str) -> None:
    assert httpx.get(behind.url + path, headers=bearer(PHONE)).status_code == 404


def test_metrics_have_a_port_of_their_own_without_keys(behind: live.Process) -> None:
    assert "larnn_ready 1.0" in httpx.get(f"{behind.metrics}/metrics").text
    for path in ("/healthz", "/readyz"):
        assert httpx.get(behind.metrics + path).is_success
    for path in ("/", "/models", "/classify", "/v2", "/stream"):
        assert httpx.get(behind.metrics + path).status_code == 404
    rebound = {"Host": "rebound.example"}
    assert httpx.get(f"{behind.metrics}/metrics", headers=rebound).is_success  # it needs keys
    assert httpx.get(f"{behind.url}/metrics", headers=bearer(PHONE)).status_code == 404


def test_the_port_of_metrics_has_room_for_scrapers_alone(behind: live.Process) -> None:
    """Who comes then has the place of the one that has been idle for longest."""
    host, port = behind.metrics.removeprefix("http://").split(":")
    with contextlib.ExitStack() as opened:
        sockets = []
        for _ in range(CONNECTIONS + 1):
            one = opened.enter_context(socket.create_connection((host, int(port)), 60))
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert one.recv(2**16).startswith(b"HTTP/1.1 200")
            sockets.append(one)
        assert sockets[0].recv(2**16) == b"", "it was closed"
        sockets[1].sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert sockets[1].recv(2**16).startswith(b"HTTP/1.1 200")


def test_the_port_of_metrics_is_open_before_that_is_said(
    behind: live.Process, toy_models: Path
) -> None:
    """If somebody else has it, the service does not start."""
    said = ["metrics on" in line for line in behind.log]
    assert said.index(True) < len(behind.log) - 1, "the last line says that it runs"
    taken = int(behind.metrics.rpartition(":")[2])
    with pytest.raises(StartupError, match=f"{taken} cannot be listened on"):
        Server(Settings(metrics_port=taken, models=toy_models, model="toy"))


@pytest.mark.parametrize("names", [*combinations(["port", "metrics_port", "grpc_port"], 2)])
def test_ports_are_different(names: tuple[str, str]) -> None:
    with pytest.raises(ValidationError, match=f"{names[0]} and {names[1]} are both 9000"):
        Settings.model_validate(dict.fromkeys(names, 9000))
    assert Settings.model_validate(dict.fromkeys(names, 0)), "free ones"


def test_after_sigterm_it_goes_on_and_is_not_ready(toy_models: Path) -> None:
    with live.process(models=toy_models, model="toy", drain_delay=600) as service:
        service.popen.send_signal(signal.SIGTERM)
        with httpx.Client(base_url=service.url, timeout=60) as client:
            while (told := client.get("/readyz")).status_code == 200:
                pass
            assert told.json() == {"status": "draining"}
            assert client.post("/classify", content=GOOD).is_success
        with connect(live.websocket_url(service.url)) as socket:
            assert Talk(socket).hear()["type"] == "opened"
        assert service.stop() == 0  # asked again it goes at once


def issue(authority: trustme.CA, folder: Path) -> None:
    """Another certificate of this authority, in the files of the settings."""
    issued = authority.issue_cert("127.0.0.1")
    (folder / "key.pem").write_bytes(issued.private_key_pem.bytes())
    chain = b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    (folder / "chain.pem").write_bytes(chain)


def serial(url: str, context: ssl.SSLContext) -> str:
    """Of the certificate that a new connection is shown."""
    with httpx.Client(verify=context) as client, client.stream("GET", f"{url}/healthz") as answer:
        shown = answer.extensions["network_stream"].get_extra_info("ssl_object").getpeercert()
        return str(shown["serialNumber"])


def test_sighup_takes_the_certificate_that_the_files_hold_now(
    toy_models: Path, tmp_path: Path
) -> None:
    authority, context = trustme.CA(), ssl.create_default_context()
    authority.configure_trust(context)
    issue(authority, tmp_path)
    pair = {"tls_cert": tmp_path / "chain.pem", "tls_key": tmp_path / "key.pem"}
    with live.process(models=toy_models, model="toy", **pair) as service:
        first = serial(service.url, context)
        for renew in (lambda: issue(authority, tmp_path), lambda: pair["tls_key"].write_text("-")):
            renew()
            service.popen.send_signal(signal.SIGHUP)
            assert service.popen.stderr is not None
            while "certificate" not in (line := service.popen.stderr.readline()):
                assert line
            second = serial(service.url, context)
            assert second != first
        assert "stays as it was" in line
