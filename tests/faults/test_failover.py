"""Live streams while the store's own servers fail and others are promoted in their place."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from larnn_client import Client, StateLost
from tests import live, valkey, valkeys
from tests.faults.everyone import everyone, signals, toy_logits
from tests.faults.resuming import Resuming

pytestmark = pytest.mark.usefixtures("valkey_program")


@pytest.fixture
def shared(toy_models: Path) -> dict[str, Any]:
    """Settings of a replica. Checkpoints are rare, so that a fault finds steps without one."""
    return {
        "models": toy_models,
        "model": "toy",
        "checkpoint_steps": 50,
        "checkpoint_interval": 0.2,
    }


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[valkeys.Watched]:
    with valkeys.watched(tmp_path) as watched:
        yield watched


def test_a_cluster_that_loses_a_primary_loses_no_step(
    tmp_path: Path, shared: dict[str, Any]
) -> None:
    """Every stream is awaited on a replica; the killed server comes back as one."""
    with ExitStack() as stack:
        cluster = stack.enter_context(valkeys.cluster(tmp_path))
        shared |= {"store": cluster.url, "store_replicas": 1}
        addresses = [stack.enter_context(live.process(**shared)).url for _ in range(2)]

        def fail_over() -> None:
            cluster.fail_over("any").start()

        clients = [Resuming(signal, addresses) for signal in signals(20)]
        every = asyncio.run(everyone(clients, fail_over))
        for client, logits in zip(clients, every, strict=True):
            assert (logits == toy_logits(client.signal)).all()
        streams = [httpx.get(f"{addresses[0]}/streams/{c.stream}", timeout=60) for c in clients]
        assert {told.json()["survives"] for told in streams} == {"failover"}
        for url in addresses:
            assert httpx.get(f"{url}/readyz", timeout=60).status_code == 200


def test_a_primary_and_the_owner_killed_at_once_lose_no_step(
    watched: valkeys.Watched, shared: dict[str, Any]
) -> None:
    shared |= {"store": watched.url, "store_replicas": 1}
    with live.process(**shared) as owner, live.process(**shared) as other:

        def fail_over() -> None:
            watched.primary().kill()
            owner.kill()
            valkey.until(watched.is_promoted, "no replica was promoted")

        clients = [Resuming(signal, [owner.url, other.url]) for signal in signals(20)]
        every = asyncio.run(everyone(clients, fail_over))
    for client, logits in zip(clients, every, strict=True):
        assert client.resumed >= 1
        assert (logits == toy_logits(client.signal)).all()


def lag_and_promote(watched: valkeys.Watched, work: Any) -> Any:
    """Do the work while the replicas hear nothing, then promote one of them. What comes of it."""
    primary, *replicas = watched.servers
    with valkeys.ahead(primary, replicas):
        told = work()
        primary.kill()
    valkey.until(watched.is_promoted, "no replica was promoted")
    return told


def steps(url: str, stream: str, offset: int, count: int = 5) -> httpx.Response:
    body = {"offset": offset, "steps": [[1, 2]] * count, "logits": True}
    return httpx.post(f"{url}/streams/{stream}/steps", json=body, timeout=60)


def test_a_promotion_that_loses_steps_is_told_where_no_replica_is_awaited(
    watched: valkeys.Watched, shared: dict[str, Any]
) -> None:
    shared |= {"store": watched.url, "checkpoint_steps": 1}
    with live.process(**shared) as owner, live.process(**shared) as other:
        opened = httpx.post(f"{owner.url}/streams", timeout=60).json()
        assert opened["survives"] == "replica"  # and not its own server
        stream = opened["stream"]
        assert steps(owner.url, stream, 0).json()["durable"] == 5
        valkey.until(watched.is_in_step, "the replicas lag")
        with (
            pytest.raises(StateLost, match="steps durable; open a new stream"),
            Client(owner.url, other.url) as client,
            client.stream() as live_stream,
        ):
            list(live_stream.predict([np.ones((5, 2), np.float32)]))
            valkey.until(watched.is_in_step, "the replicas lag")

            def go_on() -> str:
                assert steps(owner.url, stream, 5).json()["durable"] == 10
                while live_stream.durable <= 5:
                    list(live_stream.predict([np.ones((1, 2), np.float32)]))
                return str(httpx.post(f"{owner.url}/streams", timeout=60).json()["stream"])

            opened_last = lag_and_promote(watched, go_on)
            owner.kill()
            list(live_stream.predict([np.ones((5, 2), np.float32)]))
        gap = steps(other.url, stream, 10)
        assert (gap.status_code, gap.json()["code"]) == (409, "gap")
        assert gap.json()["expected_offset"] == 5 and "the store has lost them" in gap.text
        gone = httpx.get(f"{other.url}/streams/{opened_last}", timeout=60)
        assert (gone.status_code, gone.json()["code"]) == (410, "expired")
        assert "failed over to a server that had no copy" in gone.text


def test_what_no_replica_has_is_not_durable_where_one_is_awaited(
    watched: valkeys.Watched, shared: dict[str, Any]
) -> None:
    shared |= {"store": watched.url, "store_replicas": 1, "store_timeout": 2}
    with live.process(**shared) as owner, live.process(**shared) as other:
        stream = httpx.post(f"{owner.url}/streams", timeout=60).json()["stream"]
        assert steps(owner.url, stream, 0).json()["durable"] == 5

        def go_on() -> None:
            refused = steps(owner.url, stream, 5)
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            ready = httpx.get(f"{owner.url}/readyz", timeout=60)
            assert ready.json()["store"] == "Valkey: 0 of 1 replicas have what was written"
            looked = httpx.get(f"{other.url}/streams/{stream}", timeout=60)
            assert looked.json()["code"] == "unavailable"  # not what could be lost

        lag_and_promote(watched, go_on)
        owner.kill()
        while (again := steps(other.url, stream, 5)).status_code == 503:
            pass
        assert again.json()["logits"] == [10, 20, 10]
        assert (again.json()["position"], again.json()["durable"]) == (10, 10)
