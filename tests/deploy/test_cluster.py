"""`docker compose --profile cluster up`, for real: a replica is killed, another one stopped."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest

from tests.deploy.compose import PROJECT, Compose, docker, need_engine, prepare
from tests.deploy.ready import wait_until_ready
from tests.faults.everyone import everyone, signals
from tests.faults.resuming import Resuming

METRICS = (
    "import urllib.request as r; print(r.urlopen('http://127.0.0.1:8000/metrics').read().decode())"
)
pytestmark = [pytest.mark.deploy, pytest.mark.timeout(3000)]


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    need_engine()
    compose = prepare(tmp_path_factory.mktemp("compose"), f"{PROJECT}-cluster", "cluster")
    compose("build", timeout=2700)
    try:
        compose("up", "-d", timeout=600)
        yield compose
    finally:
        compose("down", "-v", "--remove-orphans", check=False)


def test_streams_survive_a_kill_and_a_rolling_restart(compose: Compose) -> None:
    url = f"http://{compose('port', 'gateway', '8080')}"
    wait_until_ready(url, compose)
    replicas = compose("ps", "-q", "replica").split()
    assert len(replicas) == 2

    alone = [Resuming(signal, [url], chunk=50) for signal in signals(16, channels=9)]
    expected = asyncio.run(everyone(alone, lambda: None))
    for fault in (["kill"], ["restart", "-t", "30"]):
        clients = [Resuming(client.signal, [url], chunk=1) for client in alone]
        hit = partial(hit_the_busiest, replicas, fault)
        answers = asyncio.run(everyone(clients, hit))
        assert any(client.resumed for client in clients)
        for mine, truth in zip(answers, expected, strict=True):
            assert (np.abs(mine - truth) <= 1e-5 * np.maximum(1, np.abs(truth))).all()
        for replica in replicas:
            docker("start", replica)
            wait_until_healthy(replica)


def test_the_store_answers_to_its_password_alone_and_the_gateway_does_not_reach_it(
    compose: Compose,
) -> None:
    def valkey(*arguments: str) -> str:
        return compose("exec", "-T", *arguments, check=False)

    assert valkey("valkey", "valkey-cli", "ping") == "PONG"
    assert "NOAUTH" in valkey("-e", "REDISCLI_AUTH=", "valkey", "valkey-cli", "ping")
    resolves = ("getent", "hosts", "valkey")
    assert "valkey" in valkey("replica", *resolves)
    assert "valkey" not in valkey("gateway", *resolves)


def hit_the_busiest(replicas: list[str], fault: list[str]) -> None:
    """The gateway knows replicas for two seconds: one that came back may have nobody yet."""
    docker(*fault, max(replicas, key=connections))


def connections(replica: str) -> float:
    """Websockets that it has open, as it says itself."""
    told = docker("exec", replica, "python", "-c", METRICS)
    return float(re.findall(r"^larnn_connections (\S+)$", told, re.MULTILINE)[0])


def wait_until_healthy(container: str) -> None:
    deadline = time.monotonic() + 600
    while docker("inspect", "-f", "{{.State.Health.Status}}", container) != "healthy":
        assert time.monotonic() < deadline, docker("logs", container)
        time.sleep(0.5)
