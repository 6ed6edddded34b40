"""One machine, SQLite: the process is killed or stopped, and started again on the same file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests import captured, live
from tests.faults.everyone import STEPS, everyone, signals, toy_logits
from tests.faults.resuming import Resuming
from tests.until import until


@pytest.mark.parametrize("end", [live.Process.kill, live.Process.stop])
def test_streams_go_on_after_a_restart(
    toy_models: Path, tmp_path: Path, end: Callable[[live.Process], Any]
) -> None:
    settings: dict[str, Any] = {
        "models": toy_models,
        "model": "toy",
        "store": f"sqlite:///{tmp_path}/streams.db",
        "checkpoint_steps": 50,
        "capture": tmp_path / "captured",
        "capture_interval": 0.01,
    }
    with ExitStack() as stack:
        first = stack.enter_context(live.process(**settings))
        addresses = [first.url]

        def restart() -> None:
            until(lambda: captured.files(tmp_path / "captured"), "nothing is captured")
            end(first)
            addresses[0] = stack.enter_context(live.process(**settings)).url

        clients = [Resuming(signal, addresses, chunk=2) for signal in signals(20)]
        every = asyncio.run(everyone(clients, restart))
    for client, logits in zip(clients, every, strict=True):
        assert client.resumed >= 1
        assert (logits == toy_logits(client.signal)).all()
        assert not client.repeated or end is live.Process.kill
        check_captured(client, tmp_path / "captured", whole=end is live.Process.stop)


def check_captured(client: Resuming, folder: Path, whole: bool) -> None:
    """No step is captured twice; a kill may lose steps, of the first half."""
    rows = captured.of_stream(folder, client.stream or "")
    positions = rows["position"].to_numpy()
    assert rows["position"].is_unique().all()
    assert set(range(0 if whole else STEPS // 2 + client.chunk, STEPS)) <= set(positions)
    assert (captured.channels(rows) == client.signal[positions]).all()
