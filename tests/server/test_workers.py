"""LARNN_WORKERS: several processes on one port, as one service."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from websockets.sync.client import connect

from larnn_service.errors import StartupError
from larnn_service.process.sockets import locked
from tests import endless, live, toy
from tests.server.test_metrics import sample
from tests.server.test_stream import Talk
from tests.until import until

COUNT = "larnn_http_request_duration_seconds_count"
STEPS = "/streams/{stream_id}/steps"


@dataclass
class Workers:
    """Two of them, ready, each with a port of its own."""

    process: live.Process
    ports: tuple[int, int]

    @property
    def url(self) -> str:
        return self.process.url

    def own(self, path: str) -> list[httpx.Response]:
        """What each says at its own port."""
        return [httpx.get(f"http://127.0.0.1:{port}{path}", timeout=60) for port in self.ports]

    def ready(self) -> bool:
        """Whether each says so at its own port."""
        with contextlib.suppress(httpx.TransportError):
            return all(answer.is_success for answer in self.own("/readyz"))
        return False

    def alive(self) -> list[psutil.Process]:
        found = []
        for each in psutil.Process(self.process.popen.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended as it was looked at
                if each.status() != psutil.STATUS_ZOMBIE:
                    found.append(each)
        return found

    def answered(self, door: str) -> list[float]:
        """Requests of this door, by worker."""
        counts = []
        for port in self.ports:
            asked = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
            with asked as client, contextlib.suppress(ValueError):  # it has no such sample yet
                counts.append(sample(client, COUNT, door=door, status="200", model="toy"))
        return counts


def two_ports() -> int:
    """The first of two free ones side by side."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first, contextlib.suppress(OSError):
            port: int = first.getsockname()[1]
            with socket.create_server(("127.0.0.1", port + 1)):
                return port


@pytest.fixture
def workers(own_models: Path, tmp_path: Path) -> Iterator[Workers]:
    port = two_ports()
    with live.process(
        "tests.server.with_a_child",
        models=own_models,
        model="toy",
        workers=2,
        worker_port=port,
        store=f"sqlite:///{tmp_path / 'streams.db'}",
        drain_timeout=60,
    ) as process:
        yield Workers(process, (port, port + 1))


def steps(url: str, stream: str, offset: int) -> dict[str, Any]:
    """One step, over a connection of its own: whichever worker takes it answers."""
    body = {"offset": offset, "steps": [[1, 2]], "logits": True}
    answer = httpx.post(f"{url}/streams/{stream}/steps", json=body, timeout=60)
    told: dict[str, Any] = answer.raise_for_status().json()
    return told


def test_a_stream_goes_on_at_whichever_worker_is_reached(workers: Workers) -> None:
    stream = httpx.post(f"{workers.url}/streams", json={}, timeout=60).json()["stream"]
    offset = 0
    while len(counts := workers.answered(STEPS)) < 2:
        told = steps(workers.url, stream, offset)
        offset += 1
        assert (told["position"], told["logits"]) == (offset, [offset, 2 * offset, offset])
    assert sum(counts) == offset


def test_a_killed_worker_is_replaced_and_its_streams_live_on(workers: Workers) -> None:
    stream = httpx.post(f"{workers.url}/streams", json={}, timeout=60).json()["stream"]
    steps(workers.url, stream, 0)
    before = workers.alive()
    for process in before[:1]:
        process.kill()
    until(lambda: len(now := workers.alive()) >= 2 and now != before, "it is not replaced")
    assert steps(workers.url, stream, 1)["logits"] == [2, 4, 2]
    until(workers.ready, "the new one is not ready at the dead one's own port")


def test_all_drain_on_sigterm_and_close_their_streams(workers: Workers) -> None:
    processes = workers.alive()
    with contextlib.ExitStack() as stack:
        talks = [
            Talk(stack.enter_context(connect(live.websocket_url(f"http://127.0.0.1:{port}"))))
            for port in workers.ports
        ]
        assert [talk.hear()["type"] for talk in talks] == ["opened", "opened"]
        workers.process.popen.terminate()
        assert [talk.hear()["code"] for talk in talks] == ["draining", "draining"]
        assert [talk.close_code() for talk in talks] == [1012, 1012]
    assert workers.process.popen.wait(120) == 0
    assert not psutil.wait_procs(processes, timeout=60)[1]


@pytest.fixture
def hasty(own_models: Path, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Workers]:
    """Two that are replaced when they are silent for five seconds, or as a test says, and that have
    two to end."""
    port = two_ports()
    with live.process(
        models=own_models,
        model="toy",
        workers=2,
        worker_port=port,
        store=f"sqlite:///{tmp_path / 'streams.db'}",
        worker_timeout=getattr(request, "param", 5),
        drain_timeout=1,
    ) as process:
        yield Workers(process, (port, port + 1))


def test_a_worker_that_hangs_is_replaced(hasty: Workers) -> None:
    first, second = hasty.alive()
    first.suspend()
    until(lambda: first not in (now := hasty.alive()) and len(now) >= 2, "it is not replaced")
    assert second in hasty.alive()
    until(hasty.ready, "none is ready at the port of the one that hung")
    assert hasty.process.stop() == 0


@pytest.mark.parametrize("hasty", [5, 60], indirect=True, ids=["silent", "late"])
@pytest.mark.parametrize("how_many", [1, 2])
def test_the_end_does_not_wait_for_workers_that_hang(hasty: Workers, how_many: int) -> None:
    processes = hasty.alive()
    for process in processes[:how_many]:
        process.suspend()
    hasty.process.popen.terminate()
    assert hasty.process.popen.wait(20) == 1
    assert not psutil.wait_procs(processes, timeout=10)[1]


def test_whoever_kills_the_parent_leaves_no_worker(workers: Workers) -> None:
    processes = workers.alive()
    workers.process.kill()
    assert not psutil.wait_procs(processes, timeout=120)[1]


def test_sighup_reloads_every_worker(workers: Workers, own_models: Path) -> None:
    toy.publish(own_models, version=2)
    workers.process.popen.send_signal(signal.SIGHUP)

    def versions() -> list[int]:
        return [told.json()["models"][0]["version"] for told in workers.own("/models")]

    until(lambda: versions() == [2, 2], "not every worker has loaded it")


def test_doors_of_one_process_are_its_own_ports(workers: Workers) -> None:
    shared = [
        httpx.get(f"{workers.url}/metrics", timeout=60),
        httpx.post(f"{workers.url}/models/toy/load", timeout=60),
        httpx.post(f"{workers.url}/v2/repository/models/toy/unload", json={}, timeout=60),
    ]
    for answer in shared:
        assert answer.status_code == 409
        assert f"ask each at its own port, from {workers.ports[0]} on" in answer.text
    assert [answer.status_code for answer in workers.own("/metrics")] == [200, 200]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"store": "memory"}, "need a store that they share"),
        ({"grpc_port": 0}, "LARNN_GRPC_PORT is for one process"),
        ({"model": "none"}, "LARNN_MODEL=none"),
        ({"port": "taken"}, "cannot be listened on"),
        ({"worker_port": 65_535}, "must exist"),
        ({"workers": 1, "worker_port": 9}, "set LARNN_WORKERS too"),
        ({"worker_port": "taken"}, "cannot be listened on"),
    ],
)
def test_what_cannot_start_says_so_once(
    toy_models: Path, tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        named = {name: port if value == "taken" else value for name, value in settings.items()}
        store = f"sqlite:///{tmp_path / 'streams.db'}"
        whole = {"models": toy_models, "model": "toy", "port": 0, "workers": 2, "store": store}
        done = subprocess.run(
            [sys.executable, "-m", "service"],
            cwd=live.ROOT,
            env=os.environ | live.environment(**whole | named),
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 1
    assert done.stderr.count("the service does not start: ") == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("ends_when_told", [True, False])
def test_what_does_not_load_in_any_worker_ends_all(
    own_models: Path, tmp_path: Path, ends_when_told: bool
) -> None:
    endless.publish(own_models, version=2, ends_when_told=ends_when_told)
    settings = {
        "models": own_models,
        "model": "toy",
        "port": 0,
        "workers": 2,
        "store": f"sqlite:///{tmp_path / 'streams.db'}",
        "request_timeout": 1,
        "load_timeout": 2,
    }
    done = subprocess.run(
        [sys.executable, "-m", "service"],
        cwd=live.ROOT,
        env=os.environ | live.environment(**settings),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1
    assert done.stderr.count("the service does not start: ") == 1


def test_two_services_do_not_start_at_one_port() -> None:
    """None of them listens yet."""
    with locked("127.0.0.1", 1) as lock:
        assert lock.getsockname()
        with pytest.raises(StartupError, match="others start there"):
            locked("127.0.0.1", 1)
