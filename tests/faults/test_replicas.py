"""Replicas that share a real Valkey: killed, stopped and drained in the middle of streams."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests import live, valkey
from tests.faults.everyone import STEPS, everyone, signals, toy_logits
from tests.faults.resuming import Floats, Resuming
from tests.server.test_stream import Talk


@pytest.fixture
def shared(toy_models: Path, valkey_server: valkey.Server) -> dict[str, Any]:
    """Settings of a replica. Checkpoints are rare, so that a fault finds steps without one."""
    return {
        "models": toy_models,
        "model": "toy",
        "store": valkey_server.url,
        "checkpoint_steps": 50,
        "checkpoint_interval": 0.2,
    }


@pytest.fixture
def replicas(shared: dict[str, Any]) -> Iterator[list[live.Process]]:
    with ExitStack() as stack:
        yield [stack.enter_context(live.process(**shared)) for _ in range(2)]


def test_a_killed_replica_loses_no_step_and_counts_none_twice(
    replicas: list[live.Process],
) -> None:
    addresses = [replica.url for replica in replicas]
    clients = [Resuming(signal, addresses) for signal in signals(20)]
    every = asyncio.run(everyone(clients, replicas[0].kill))
    for client, logits in zip(clients, every, strict=True):
        assert client.resumed >= 1
        assert (logits == toy_logits(client.signal)).all()


def test_a_drained_replica_hands_over_without_repetition(replicas: list[live.Process]) -> None:
    addresses = [replica.url for replica in replicas]
    clients = [Resuming(signal, addresses, chunk=2) for signal in signals(20)]
    every = asyncio.run(everyone(clients, replicas[0].stop))
    for client, logits in zip(clients, every, strict=True):
        assert client.resumed >= 1 and not client.repeated
        assert (logits == toy_logits(client.signal)).all()


def test_the_bundled_model_goes_on_elsewhere_as_if_nothing_had_been(
    valkey_server: valkey.Server,
) -> None:
    settings: dict[str, Any] = {"store": valkey_server.url, "secret": "of both"}
    with live.process(**settings) as one, live.process(**settings) as other:
        alone = [Resuming(signal, [other.url]) for signal in signals(3, channels=9)]
        expected = asyncio.run(everyone(alone, lambda: None))
        moved = [Resuming(client.signal, [one.url, other.url]) for client in alone]
        answers = asyncio.run(everyone(moved, one.kill))
    for mine, truth in zip(answers, expected, strict=True):
        assert (np.abs(mine - truth) <= 1e-5 * np.maximum(1, np.abs(truth))).all()


@pytest.mark.usefixtures("valkey_program")
def test_a_restarted_store_loses_no_step(
    toy_models: Path, tmp_path: Path, shared: dict[str, Any]
) -> None:
    with valkey.running(tmp_path) as server:
        settings = shared | {"store": server.url, "store_timeout": 1}

        def restart() -> None:
            server.kill()
            server.start()

        with live.process(**settings) as one, live.process(**settings) as other:
            clients = [Resuming(signal, [one.url, other.url]) for signal in signals(10)]
            every = asyncio.run(everyone(clients, restart))
    for client, logits in zip(clients, every, strict=True):
        assert (logits == toy_logits(client.signal)).all()


def test_plain_http_needs_no_stickiness(replicas: list[live.Process]) -> None:
    [steps] = signals(1)
    truth = toy_logits(steps)
    stream = httpx.post(f"{replicas[0].url}/streams", timeout=60).json()["stream"]
    for turn, offset in enumerate(range(0, 80, 8)):
        body = {"offset": offset, "steps": steps[offset : offset + 8].tolist(), "logits": True}
        url = replicas[turn % 2].url
        for _ in range(2):  # the second is a retry
            answer = httpx.post(f"{url}/streams/{stream}/steps", json=body, timeout=60).json()
            assert answer["logits"] == truth[offset + 7].tolist()
            assert answer["position"] == answer["durable"] == offset + 8
    for replica in replicas:
        seen = httpx.get(f"{replica.url}/streams/{stream}", timeout=60).json()
        assert (seen["position"], seen["durable"], seen["survives"]) == (80, 80, "replica")
    key = {"Idempotency-Key": stream}
    opened = [httpx.post(f"{r.url}/streams", headers=key, timeout=60).json() for r in replicas]
    assert opened[0] == opened[1]
    assert httpx.delete(f"{replicas[0].url}/streams/{stream}", timeout=60).status_code == 204
    for replica in replicas:
        gone = httpx.get(f"{replica.url}/streams/{stream}", timeout=60)
        assert (gone.status_code, gone.json()["code"]) == (410, "expired")


def pause_and_take_over(owner: live.Process, other: live.Process) -> None:
    """The owner sleeps, another replica goes on, the owner wakes up and believes to own it."""
    [steps] = signals(1)

    def chunk(offset: int) -> dict[str, Any]:
        return {"type": "chunk", "offset": offset, "steps": steps[offset : offset + 50].tolist()}

    with connect(live.websocket_url(owner.url)) as socket:
        talk = Talk(socket)
        stream = talk.hear()["stream"]
        assert talk.say(chunk(0))["position"] == 50
        owner.popen.send_signal(signal.SIGSTOP)
        try:
            socket.send(json.dumps(chunk(50)))  # waits in the owner's kernel
            answer = _go_on(other.url, stream, steps)
        finally:
            owner.popen.send_signal(signal.SIGCONT)
        offset = 50
        while (message := talk.hear())["type"] == "prediction":
            assert message["durable"] <= 50, "an owner of the past has written"
            offset += 50
            with contextlib.suppress(ConnectionClosed):  # then why is still to be heard
                socket.send(json.dumps(chunk(offset % 350) | {"offset": offset}))
        assert message["code"] == "moved"
        assert talk.close_code() == 4411
    assert answer["durable"] == STEPS
    seen = httpx.get(f"{owner.url}/streams/{stream}", timeout=60).json()
    assert (seen["position"], seen["durable"]) == (STEPS, STEPS)
    with connect(f"{live.websocket_url(owner.url)}?stream={stream}") as socket:
        talk = Talk(socket)
        assert talk.hear()["position"] == STEPS
        again = talk.say({"type": "chunk", "offset": STEPS, "steps": [[0, 0]], "logits": True})
        assert again["logits"] == [*steps.sum(0).tolist(), STEPS + 1]


def _go_on(url: str, stream: str, steps: Floats) -> dict[str, Any]:
    """At another replica, from where that one stands; over HTTP an answer is durable."""
    seen = httpx.get(f"{url}/streams/{stream}", timeout=60).json()
    body = {"offset": seen["position"], "steps": steps[seen["position"] :].tolist()}
    answer: dict[str, Any] = httpx.post(
        f"{url}/streams/{stream}/steps", json=body, timeout=60
    ).json()
    return answer


def test_an_owner_that_was_paused_writes_nothing_and_closes_as_moved(
    replicas: list[live.Process],
) -> None:
    pause_and_take_over(*replicas)


def test_the_same_without_the_check_of_fences_is_noticed(shared: dict[str, Any]) -> None:
    """The control: the test above sees what it is for."""
    with (
        live.process("tests.faults.broken_service", **shared) as owner,
        live.process(**shared) as other,
        pytest.raises(AssertionError, match="an owner of the past has written"),
    ):
        pause_and_take_over(owner, other)
