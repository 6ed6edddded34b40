"""One machine, SQLite: the process is killed or stopped, and started again on the same file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import live
from tests.faults.everyone import everyone, signals, toy_logits
from tests.faults.resuming import Resuming


@pytest.mark.parametrize("end", [live.Process.kill, live.Process.stop])
def test_streams_go_on_after_a_restart(
    toy_models: Path, tmp_path: Path, end: Callable[[live.Process], Any]
) -> None:
    settings: dict[str, Any] = {
        "models": toy_models,
        "model": "toy",
        "store": f"sqlite:///{tmp_path}/streams.db",
        "checkpoint_steps": 50,
    }
    with ExitStack() as stack:
        first = stack.enter_context(live.process(**settings))
        addresses = [first.url]

        def restart() -> None:
            end(first)
            addresses[0] = stack.enter_context(live.process(**settings)).url

        clients = [Resuming(signal, addresses, chunk=2) for signal in signals(20)]
        every = asyncio.run(everyone(clients, restart))
    for client, logits in zip(clients, every, strict=True):
        assert client.resumed >= 1
        assert (logits == toy_logits(client.signal)).all()
        assert not client.repeated or end is live.Process.kill
