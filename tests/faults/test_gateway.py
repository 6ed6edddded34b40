"""Two replicas behind a gateway of deploy/: a client knows one address and loses no step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import gateway, live, valkey
from tests.faults.everyone import everyone, signals, toy_logits
from tests.faults.resuming import Resuming

proxies = pytest.mark.parametrize(
    "proxy",
    [
        pytest.param(
            name, marks=pytest.mark.skipif(each.program is None, reason=f"{name} is not installed")
        )
        for name, each in gateway.GATEWAYS.items()
    ],
)


@proxies
@pytest.mark.parametrize("end", [live.Process.kill, live.Process.stop])
def test_one_replica_ends_and_the_other_goes_on(
    toy_models: Path,
    valkey_server: valkey.Server,
    tmp_path: Path,
    proxy: str,
    end: Callable[..., Any],
) -> None:
    settings = {"models": toy_models, "model": "toy", "store": valkey_server.url}
    with ExitStack() as stack:
        replicas = [stack.enter_context(live.process(**settings)) for _ in range(2)]
        url = stack.enter_context(gateway.running(tmp_path, [one.url for one in replicas], proxy))
        clients = [Resuming(signal, [url], chunk=2) for signal in signals(20)]
        every = asyncio.run(everyone(clients, lambda: end(replicas[0])))
        stream = httpx.post(f"{url}/streams", timeout=60).json()["stream"]
        body = {"offset": 0, "steps": [[1, 2]], "logits": True}
        answers = [
            httpx.post(f"{url}/streams/{stream}/steps", json=body, timeout=60) for _ in range(4)
        ]
    for client, logits in zip(clients, every, strict=True):
        assert (logits == toy_logits(client.signal)).all()
    assert any(client.resumed for client in clients)
    assert [answer.json()["logits"] for answer in answers] == [[1, 2, 1]] * 4


@proxies
def test_plain_http_through_the_gateway_needs_no_stickiness(
    toy_models: Path, valkey_server: valkey.Server, tmp_path: Path, proxy: str
) -> None:
    settings = {"models": toy_models, "model": "toy", "store": valkey_server.url}
    with ExitStack() as stack:
        replicas = [stack.enter_context(live.process(**settings)) for _ in range(2)]
        url = stack.enter_context(gateway.running(tmp_path, [one.url for one in replicas], proxy))
        client = stack.enter_context(httpx.Client(base_url=url, timeout=60))
        stream = client.post("/streams").json()["stream"]
        for position in range(20):
            body = {"offset": position, "steps": [[1, 2]], "logits": True}
            answer = client.post(f"/streams/{stream}/steps", json=body).json()
            assert answer["logits"] == [position + 1, 2 * position + 2, position + 1]
