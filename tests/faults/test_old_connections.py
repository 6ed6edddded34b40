"""Connections that have had their time: their clients come back, and nobody notices."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError
from websockets.sync.client import connect

from larnn_service.settings import Settings
from tests import live
from tests.faults.everyone import everyone, signals, toy_logits
from tests.faults.resuming import Resuming
from tests.server.test_stream import Talk
from tests.until import until


def test_old_connections_are_closed_behind_their_checkpoints(
    toy_models: Path, tmp_path: Path
) -> None:
    settings = {"models": toy_models, "model": "toy", "store": f"sqlite:///{tmp_path}/streams.db"}
    with live.running(**settings, max_connection_age=0.5) as url:

        def until_all_have_gone() -> None:
            until(
                lambda: "larnn_connections 0.0" in httpx.get(f"{url}/metrics", timeout=60).text,
                "connections stay",
            )

        clients = [Resuming(signal, [url]) for signal in signals(20)]
        every = asyncio.run(everyone(clients, until_all_have_gone))
        for client, logits in zip(clients, every, strict=True):
            assert client.resumed >= 1 and not client.repeated
            assert (logits == toy_logits(client.signal)).all()
        with connect(live.websocket_url(url)) as socket:
            talk = Talk(socket)
            talk.hear()
            assert "had its time" in talk.hear()["detail"]
            assert talk.close_code() == 1012


def test_an_operator_spreads_streams_over_a_new_replica(toy_models: Path, tmp_path: Path) -> None:
    settings = {"models": toy_models, "model": "toy", "store": f"sqlite:///{tmp_path}/streams.db"}
    with live.running(**settings) as old, live.running(**settings) as new:
        counts = []

        def spread() -> None:
            shed = httpx.post(f"{old}/shed", json={"share": 0.5}, timeout=60).json()
            counts.append((shed["shed"], shed["connections"]))

        clients = [Resuming(signal, [old, new]) for signal in signals(24)]
        every = asyncio.run(everyone(clients, spread))
        assert counts == [(12, 24)]
        assert sorted(client.resumed for client in clients) == [0] * 12 + [1] * 12
        for client, logits in zip(clients, every, strict=True):
            assert not client.repeated
            assert (logits == toy_logits(client.signal)).all()
        for share in (0, 1.5, "half"):
            assert httpx.post(f"{old}/shed", json={"share": share}, timeout=60).status_code == 422


def test_streams_that_no_other_replica_has_keep_their_connections() -> None:
    with pytest.raises(ValidationError, match="name a store that they share"):
        Settings(max_connection_age=60)
