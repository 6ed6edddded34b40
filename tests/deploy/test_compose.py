"""`docker compose up`, for real: the image is built, run, asked, inspected and stopped."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import datetime

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests import live
from tests.deploy.compose import PROJECT, Compose, docker, need_engine, prepare
from tests.deploy.ready import wait_until_ready

READY_WITHIN = 120.0
"""Seconds, far more than it takes where nothing else runs."""

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(3000)]


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    """The service in its container, once it is ready."""
    need_engine()
    compose = prepare(tmp_path_factory.mktemp("compose"))
    compose("build", timeout=2700)
    try:
        compose("up", "-d")
        yield compose
    finally:
        compose("down", "-v", "--remove-orphans", check=False)


@pytest.fixture(scope="module")
def container(compose: Compose) -> str:
    return compose("ps", "-q", "larnn")


@pytest.fixture(scope="module")
def url(compose: Compose, container: str) -> str:
    """The base URL, after the service said that it is ready."""
    url = f"http://{compose('port', 'larnn', '8000')}"
    wait_until_ready(url, compose)
    return url


def test_it_starts_and_says_how_long_that_took(
    url: str, container: str, capsys: pytest.CaptureFixture[str]
) -> None:
    started = datetime.fromisoformat(docker("inspect", "-f", "{{.State.StartedAt}}", container))
    seconds = time.time() - started.timestamp()
    with capsys.disabled():
        print(f"\nready {seconds:.1f} s after the container's start")
    assert httpx.get(f"{url}/readyz", timeout=60).status_code == 200
    assert seconds < READY_WITHIN


def test_the_image_is_small_and_says_what_weighs(
    compose: Compose, capsys: pytest.CaptureFixture[str]
) -> None:
    size = int(docker("image", "inspect", "-f", "{{.Size}}", f"{PROJECT}-image")) / 1e6
    layers = docker("history", "--format", "{{.Size}}\t{{.CreatedBy}}", f"{PROJECT}-image")
    with capsys.disabled():
        print(f"\nimage: {size:.0f} MB")
        for layer in layers.splitlines():
            if not layer.startswith("0B"):
                print(f"  {layer[:100]}")
    assert size < 600


def test_it_has_the_native_operator(url: str) -> None:
    models = httpx.get(f"{url}/models", timeout=60).json()["models"]
    larnns = [model for model in models if model["name"].startswith("larnn")]
    assert {model["operator"] for model in larnns} == {"native"}


def test_it_classifies(url: str) -> None:
    window = (live.ROOT / "examples/window.json").read_bytes()
    answer = httpx.post(f"{url}/classify", content=window, timeout=60)
    assert answer.status_code == 200, answer.text
    [prediction] = answer.json()["predictions"]
    assert prediction["label"] == max(
        prediction["probabilities"], key=prediction["probabilities"].__getitem__
    )


def test_its_health_check_passes(url: str, container: str) -> None:
    deadline = time.monotonic() + 600
    while (health := docker("inspect", "-f", "{{.State.Health.Status}}", container)) != "healthy":
        assert time.monotonic() < deadline, health
        time.sleep(0.5)


def test_it_is_nobody_on_a_read_only_root(url: str, compose: Compose, container: str) -> None:
    assert compose.inside("import os; print(os.getuid(), os.getgid())") == "10001 10001"
    program = "open('/app/mark', 'w')"
    assert "Read-only file system" in compose(
        "exec", "-T", "larnn", "python", "-c", program, check=False
    )
    program = "open('/app/models/mark', 'w')"
    assert "Read-only file system" in compose(
        "exec", "-T", "larnn", "python", "-c", program, check=False
    )
    host = json.loads(docker("inspect", "-f", "{{json .HostConfig}}", container))
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert (host["Memory"], host["PidsLimit"], host["CpuQuota"]) == (2 * 2**30, 512, 200_000)


def test_it_answers_to_its_names_and_to_no_page_that_has_made_its_own_lead_here(
    url: str, compose: Compose
) -> None:
    port = url.rpartition(":")[2]
    for host in (f"localhost:{port}", "larnn:8000", "10.1.2.3:8000"):
        assert httpx.get(f"{url}/models", headers={"Host": host}, timeout=60).status_code == 200
    refused = httpx.get(f"{url}/models", headers={"Host": "rebound.example"}, timeout=60)
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")


def test_torch_and_what_trains_is_not_inside(url: str, compose: Compose) -> None:
    program = (
        "from importlib.util import find_spec\n"
        "print([n for n in ('torch', 'onnx', 'export', 'pytest', 'pip') if find_spec(n)])"
    )
    # `python -c` looks into the working directory too, where the service lies.
    assert compose.inside(program) == "[]"


def test_sigterm_tells_streams_to_reconnect_and_ends_with_0(url: str, container: str) -> None:
    with connect(f"{live.websocket_url(url)}", open_timeout=30) as socket:
        assert json.loads(socket.recv(timeout=30))["type"] == "opened"
        stop = threading.Thread(target=docker, args=("stop", "-t", "30", container))
        stop.start()
        with pytest.raises(ConnectionClosed) as closed:
            while True:
                socket.recv(timeout=60)
        stop.join()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
    assert docker("inspect", "-f", "{{.State.ExitCode}}", container) == "0"
