"""Clients that send far ahead: their chunks take few places of a run, and all are answered."""

from __future__ import annotations

import json
import math
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from larnn_service.backend.onnx_backend import OnnxBackend
from larnn_service.engine.batching.inline_policy import ShortRuns
from larnn_service.engine.streams import real_time
from larnn_service.interfaces import Floats
from tests import live, toy
from tests.backend.test_model_repository import resign
from tests.server.chunks import chunk
from tests.server.test_metrics import sample
from tests.server.test_stream import Talk
from tests.until import until

CLIENTS, CHUNKS = 8, 30
FIRST, OTHER = [1.0, 2.0], [3.0, 4.0]
ALL_ARE_LATE, NONE_IS_LIVE = 1e9, 1e-9
"""Steps a second of a signal that is recorded at once, and of one that never is."""


class Held:
    """A service whose runs of FIRST and of OTHER wait to be let go."""

    def __init__(
        self,
        stack: ExitStack,
        models: Path,
        patch: pytest.MonkeyPatch,
        *,
        places: int,
        concurrency: int,
        rate: float = 50,
    ) -> None:
        contract = toy.CONTRACT.model_copy(update={"sample_rate_hz": rate})
        resign(toy.publish(models, contract=contract.model_dump(mode="json")), toy.graph(contract))
        self.firsts, self.others = threading.Event(), threading.Event()
        advance = OnnxBackend.advance

        def held(backend: OnnxBackend, x: Floats, *rest: Any) -> Any:
            only_others = bool((x[:, 0, 0] == OTHER[0]).all())
            assert (self.others if only_others else self.firsts).wait(100)
            return advance(backend, x, *rest)

        self._stack = stack
        self._url = stack.enter_context(
            live.running(models=models, model="toy", max_ahead=places, concurrency=concurrency)
        )
        self._client = stack.enter_context(httpx.Client(base_url=self._url, timeout=60))
        stack.callback(self.firsts.set)
        stack.callback(self.others.set)
        patch.setattr(OnnxBackend, "advance", held)
        patch.setattr(ShortRuns, "is_short", lambda *_, **__: False)

    def talk(self) -> Talk:
        url = live.websocket_url(self._url)
        talk = Talk(self._stack.enter_context(connect(url, compression=None)))
        talk.hear()
        return talk

    def steps_in_work(self) -> float:
        return sample(self._client, "larnn_waiting_steps", model="toy")


@pytest.mark.parametrize("places", [2, 64])
def test_chunks_sent_ahead_take_so_many_places_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, places: int
) -> None:
    """The first chunk of each client finds the service waiting for it, the others are ahead.

    Runs of the first ones are held until all have been read, and runs of the others until as many
    are in work as may be.
    """
    monkeypatch.setattr(real_time, "PAUSE", math.inf)
    with ExitStack() as stack:
        service = Held(stack, tmp_path, monkeypatch, places=places, concurrency=1)
        talks = [service.talk() for _ in range(CLIENTS)]
        for talk in talks:
            for offset in range(CHUNKS):
                step = OTHER if offset else FIRST
                talk.socket.send(chunk(offset, [step], acked=0))
        until(lambda: service.steps_in_work() >= CLIENTS, "not every client's chunk is in work")
        service.firsts.set()
        for talk in talks:
            assert talk.hear()["position"] == 1
        most = min(places, CLIENTS)
        until(lambda: service.steps_in_work() == most, "other chunks are in work")
        assert all(service.steps_in_work() == most for _ in range(10))
        service.others.set()
        for talk in talks:
            assert [talk.hear()["position"] for _ in range(2, CHUNKS + 1)] == [
                *range(2, CHUNKS + 1)
            ]


@pytest.mark.parametrize("rate", [ALL_ARE_LATE, NONE_IS_LIVE])
def test_a_live_stream_that_is_late_takes_no_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rate: float
) -> None:
    """It finds its chunks sent ahead, as those of a flood are: it goes first as long as they are no
    more than was recorded since it began."""
    monkeypatch.setattr(real_time, "PAUSE", 0)
    with ExitStack() as stack:
        service = Held(stack, tmp_path, monkeypatch, places=1, concurrency=2, rate=rate)
        flood, late = service.talk(), service.talk()
        for offset, step in enumerate([FIRST, OTHER]):
            flood.socket.send(chunk(offset, [step], acked=0))
        for offset in range(3):
            late.socket.send(chunk(offset, [FIRST], acked=0))
        until(lambda: service.steps_in_work() >= 2, "the chunks are not in work")
        service.firsts.set()
        assert [talk.hear()["position"] for talk in (flood, late)] == [1, 1]
        if rate == NONE_IS_LIVE:  # the flood has the only place, until its run is over
            service.others.set()
        assert [late.hear()["position"] for _ in range(2)] == [2, 3]


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
