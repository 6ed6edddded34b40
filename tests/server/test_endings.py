"""SIGTERM ends the process in time, whatever goes on in it."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from websockets.sync.client import connect

from tests import endless, live
from tests.server.raw import request
from tests.until import until

DRAIN = 2.0
MARGIN = 20.0
"""Seconds that a busy machine may take longer than the service allows itself."""
TOO_LARGE = [[2 * endless.LARGE, 0]]
WAITING = 'larnn_waiting_steps{model="toy",version="2"} '
SETTINGS = {"model": "toy", "drain_timeout": DRAIN, "load_timeout": 600, "concurrency": 2}


@pytest.fixture
def kept() -> Iterator[contextlib.ExitStack]:
    """What stays open to the end of the test."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture
def service(own_models: Path, kept: contextlib.ExitStack) -> live.Process:
    """It has two runs at a time and serves toy/2, whose run is endless where a value is large, and
    then cannot be ended."""
    endless.publish(own_models, version=2, always=False, ends_when_told=False)
    return kept.enter_context(live.process(models=own_models, **SETTINGS))


Busy = Callable[[live.Process, Path, contextlib.ExitStack], None]


def ask(service: live.Process, path: str, body: object = None) -> None:
    """Begin a request whose answer nobody waits for."""

    def post() -> None:
        with contextlib.suppress(httpx.HTTPError):
            httpx.post(f"{service.url}{path}", json=body, timeout=600)

    threading.Thread(target=post, daemon=True).start()


def wait_for_waiting_steps(service: live.Process, steps: int) -> None:
    told = f"{WAITING}{steps:.1f}"
    until(
        lambda: told in httpx.get(f"{service.url}/metrics", timeout=60).text,
        f"there are not {steps} waiting steps",
    )


def wait_for_work(process: int) -> None:
    """Until a thread beside the main one has worked for a while, and works on."""

    def works() -> bool:
        threads = psutil.Process(process).threads()
        return any(each.user_time > 0.3 for each in threads if each.id != process)

    until(works, "no thread has work")


def one_run_never_ends(service: live.Process, models: Path, kept: contextlib.ExitStack) -> None:
    ask(service, "/classify", {"sequences": [TOO_LARGE]})
    wait_for_waiting_steps(service, 1)


def no_run_ends(service: live.Process, models: Path, kept: contextlib.ExitStack) -> None:
    for _ in range(3):
        ask(service, "/classify", {"sequences": [TOO_LARGE]})
    wait_for_waiting_steps(service, 3)


def a_streams_run_never_ends(
    service: live.Process, models: Path, kept: contextlib.ExitStack
) -> None:
    talk = kept.enter_context(connect(live.websocket_url(service.url), close_timeout=0))
    talk.recv()
    talk.send(f'{{"type": "chunk", "offset": 0, "steps": {TOO_LARGE}}}')
    wait_for_waiting_steps(service, 1)


def a_load_never_ends(service: live.Process, models: Path, kept: contextlib.ExitStack) -> None:
    endless.publish(models, version=3, ends_when_told=False)
    ask(service, "/models/toy/load")
    wait_for_work(service.popen.pid)


def a_reload_never_ends(service: live.Process, models: Path, kept: contextlib.ExitStack) -> None:
    endless.publish(models, version=3, ends_when_told=False)
    service.popen.send_signal(signal.SIGHUP)
    wait_for_work(service.popen.pid)


def connections_stay_half_open(
    service: live.Process, models: Path, kept: contextlib.ExitStack
) -> None:
    url = httpx.URL(service.url)
    handshake = ("Connection: Upgrade", "Upgrade: websocket")
    for begun in (
        b"",
        b"POST /class",
        request(b"{", size=100),
        request(b"", *handshake, method="GET", path="/stream")[:-4],
        request(b"", *handshake, "X: " + 9_000 * "x", method="GET", path="/stream"),
    ):
        own = kept.enter_context(socket.create_connection((url.host, url.port or 0)))
        own.sendall(begun)


@pytest.mark.parametrize(
    "busy",
    [
        one_run_never_ends,
        no_run_ends,
        a_streams_run_never_ends,
        a_load_never_ends,
        a_reload_never_ends,
        connections_stay_half_open,
    ],
    ids=lambda busy: str(busy.__name__),
)
def test_it_ends_in_twice_the_drain_timeout_with_status_0(
    service: live.Process, own_models: Path, kept: contextlib.ExitStack, busy: Busy
) -> None:
    busy(service, own_models, kept)
    assert httpx.get(f"{service.url}/healthz", timeout=60).is_success
    service.popen.terminate()
    assert service.popen.wait(2 * DRAIN + MARGIN) == 0


def test_it_ends_though_the_event_loop_stands_still(service: live.Process) -> None:
    """The log says where: in a run that was expected to be short."""
    with httpx.Client(base_url=service.url, timeout=1) as client:
        for _ in range(2):
            client.post("/classify", json={"sequences": [[[1, 0]]]}, timeout=60)
        with contextlib.suppress(httpx.TimeoutException):
            client.post("/classify", json={"sequences": [TOO_LARGE]})
        with contextlib.suppress(httpx.TimeoutException):
            until(lambda: not client.get("/healthz"), "the event loop goes on")
    service.popen.terminate()
    assert service.popen.wait(2 * DRAIN + MARGIN) == 1
    assert service.popen.stderr is not None
    assert "advance" in service.popen.stderr.read()


def test_while_it_still_loads_it_ends_at_once(own_models: Path) -> None:
    endless.publish(own_models, version=2, ends_when_told=False)
    settings = live.environment(models=own_models, port=0, **SETTINGS)
    with subprocess.Popen(
        [sys.executable, "-m", "service"], cwd=live.ROOT, env=os.environ | settings
    ) as popen:
        wait_for_work(popen.pid)
        popen.terminate()
        assert popen.wait(MARGIN) == 0


@pytest.mark.parametrize("ends_when_told", [True, False])
def test_what_does_not_load_in_time_is_refused_at_start(
    own_models: Path, ends_when_told: bool
) -> None:
    """Its thread may go on in native code, and the end of the process is a clean one."""
    endless.publish(own_models, version=2, ends_when_told=ends_when_told)
    limits = {"load_timeout": 2, "request_timeout": 1}
    settings = live.environment(models=own_models, port=0, **SETTINGS | limits)
    done = subprocess.run(
        [sys.executable, "-m", "service"],
        cwd=live.ROOT,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    refusal = "its first run failed" if ends_when_told else "loading toy/2 took longer than"
    [line] = [line for line in done.stderr.splitlines() if "does not start" in line]
    assert refusal in line
    assert "Traceback" not in done.stderr
