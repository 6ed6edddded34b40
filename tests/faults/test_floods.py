"""Clients that send far ahead: their chunks take few places of a run, and all are answered."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect

from tests import live
from tests.server.raw import held_runs, read_by_now
from tests.server.test_metrics import sample
from tests.server.test_stream import Talk

CLIENTS, CHUNKS = 8, 30


@pytest.mark.parametrize(("places", "largest"), [(2, 2), (64, CLIENTS)])
def test_chunks_sent_ahead_take_so_many_places_of_a_run(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch, places: int, largest: int
) -> None:
    """The first chunk of each client is held until all are in line, and then the second ones."""
    settings = {"models": toy_models, "model": "toy", "concurrency": 1, "max_ahead": places}
    with ExitStack() as stack:
        url = stack.enter_context(live.running(**settings))
        client = stack.enter_context(httpx.Client(base_url=url, timeout=60))
        talks = [
            Talk(stack.enter_context(connect(live.websocket_url(url), compression=None)))
            for _ in range(CLIENTS)
        ]
        for talk in talks:
            talk.hear()
        with held_runs(monkeypatch):
            for talk in talks:
                for offset in range(CHUNKS):
                    chunk = {"type": "chunk", "offset": offset, "acked": 0, "steps": [[1, 2]]}
                    talk.socket.send(json.dumps(chunk))
            read_by_now(client)
        for talk in talks:
            assert [talk.hear()["position"] for _ in range(CHUNKS)] == [*range(1, CHUNKS + 1)]
        of_toy = {"model": "toy", "version": "1"}
        rows = sample(client, "larnn_run_rows_sum", **of_toy)
        runs = sample(client, "larnn_run_rows_count", **of_toy)
    # A client's first chunk finds the service waiting for it: it is not ahead of an answer.
    ahead = CLIENTS * (CHUNKS - 1)
    if places < CLIENTS:
        assert runs >= ahead / largest
    assert rows >= CLIENTS * CHUNKS


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
