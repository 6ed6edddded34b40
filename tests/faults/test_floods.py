"""Clients that send far ahead: their chunks take few places of a run, and all are answered."""

from __future__ import annotations

import json
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from larnn_service.backend.onnx_backend import OnnxBackend
from larnn_service.engine.batching.inline_policy import ShortRuns
from larnn_service.interfaces import Floats
from tests import live
from tests.server.chunks import chunk
from tests.server.test_metrics import sample
from tests.server.test_stream import Talk

CLIENTS, CHUNKS = 8, 30
FIRST, OTHER = [1.0, 2.0], [3.0, 4.0]


@pytest.mark.parametrize("places", [2, 64])
def test_chunks_sent_ahead_take_so_many_places_of_a_run(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch, places: int
) -> None:
    """The first chunk of each client finds the service waiting for it, the others are ahead.

    Runs of the first ones are held until all have been read, and runs of the others until as many
    are in work as may be.
    """
    settings = {"models": toy_models, "model": "toy", "concurrency": 1, "max_ahead": places}
    with ExitStack() as stack:
        url = stack.enter_context(live.running(**settings))
        client = stack.enter_context(httpx.Client(base_url=url, timeout=60))
        firsts, others = threading.Event(), threading.Event()
        stack.callback(firsts.set)
        stack.callback(others.set)
        advance = OnnxBackend.advance

        def held(backend: OnnxBackend, x: Floats, *rest: Any) -> Any:
            only_others = bool((x[:, 0, 0] == OTHER[0]).all())
            assert (others if only_others else firsts).wait(100)
            return advance(backend, x, *rest)

        monkeypatch.setattr(OnnxBackend, "advance", held)
        monkeypatch.setattr(ShortRuns, "is_short", lambda *_, **__: False)
        talks = [
            Talk(stack.enter_context(connect(live.websocket_url(url), compression=None)))
            for _ in range(CLIENTS)
        ]
        for talk in talks:
            talk.hear()
            for offset in range(CHUNKS):
                step = OTHER if offset else FIRST
                talk.socket.send(chunk(offset, [step], acked=0))

        def in_work() -> float:
            return sample(client, "larnn_waiting_steps", model="toy")

        while in_work() < CLIENTS:
            pass
        firsts.set()
        for talk in talks:
            assert talk.hear()["position"] == 1
        while in_work() != min(places, CLIENTS):
            pass
        assert all(in_work() == min(places, CLIENTS) for _ in range(10))
        others.set()
        for talk in talks:
            assert [talk.hear()["position"] for _ in range(2, CHUNKS + 1)] == [
                *range(2, CHUNKS + 1)
            ]


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
