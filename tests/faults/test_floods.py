"""Clients that send far ahead: their chunks take few places of a run, and all are answered."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests import live
from tests.server.test_metrics import sample
from tests.server.test_stream import Talk

CLIENTS, CHUNKS = 8, 30


@pytest.mark.parametrize(("places", "crowded"), [(2, False), (64, True)])
def test_chunks_sent_ahead_take_so_many_places_of_a_run(
    toy_models: Path, places: int, crowded: bool
) -> None:
    settings = {"models": toy_models, "model": "toy", "concurrency": 1, "max_ahead": places}
    with ExitStack() as stack:
        url = stack.enter_context(live.running(**settings))
        metrics = stack.enter_context(httpx.Client(base_url=url, timeout=60))
        talks = [
            Talk(stack.enter_context(connect(live.websocket_url(url), compression=None)))
            for _ in range(CLIENTS)
        ]
        before = _large_runs(metrics)
        for talk in talks:
            talk.hear()
            for offset in range(CHUNKS):
                chunk = {"type": "chunk", "offset": offset, "acked": 0, "steps": [[1, 2]]}
                talk.socket.send(json.dumps(chunk))
        for talk in talks:
            assert [talk.hear()["position"] for _ in range(CHUNKS)] == [*range(1, CHUNKS + 1)]
        large = _large_runs(metrics) - before
    # A client's first chunk finds the service waiting for it: it is not ahead of an answer.
    assert large > CLIENTS if crowded else large <= CLIENTS


def _large_runs(metrics: httpx.Client) -> float:
    """Runs of more than two rows."""
    of_toy = {"model": "toy"}
    return sample(metrics, "larnn_run_rows_count", **of_toy) - sample(
        metrics, "larnn_run_rows_bucket", le="2.0", **of_toy
    )


def test_a_chunk_that_came_in_part_with_others_is_read_to_its_end(toy_url: str) -> None:
    """Where reading was paused for those before it, it goes on for the rest."""
    chunks, steps = 100, [[1.0, 2.0]] * 900
    with connect(live.websocket_url(toy_url), compression=None) as socket:
        talk = Talk(socket)
        talk.hear()
        for number in range(chunks):
            chunk = {"type": "chunk", "offset": number * len(steps), "steps": steps}
            socket.send(json.dumps(chunk))
        ends = [talk.hear()["position"] for _ in range(chunks)]
    assert ends == [*range(len(steps), chunks * len(steps) + 1, len(steps))]
