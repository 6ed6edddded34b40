"""Messages of a stream that are large, or too large, against the running service."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from larnn_service.wire.large_json import LARGE
from larnn_service.wire.stream_decoder import StreamDecoder
from tests import live
from tests.server.raw import held_decoding
from tests.server.test_metrics import sample
from tests.server.test_stream import Talk
from tests.until import until


@pytest.mark.parametrize("fragments", [1, 2])
def test_a_message_over_the_limit_closes_with_1009(toy_models: Path, fragments: int) -> None:
    message = json.dumps({"type": "chunk", "offset": 0, "steps": [[1, 2]]})
    with live.running(models=toy_models, model="toy", max_message=1_000) as url:
        for size in (1_000, 1_001):
            padded = message + " " * (size - len(message))
            with connect(live.websocket_url(url)) as socket:
                talk = Talk(socket)
                talk.hear()
                with suppress(ConnectionClosed):  # it may close before the last fragment is sent
                    socket.send(padded if fragments == 1 else (padded[:9], padded[9:]))
                if size == 1_000:
                    assert talk.hear()["type"] == "prediction"
                else:
                    assert talk.close_code() == 1009


def test_a_large_message_is_read_as_a_small_one_is(toy_models: Path) -> None:
    room = " " * (LARGE + 1)
    said = '{"type": "chunk", "offset": %d, "steps": [[1, 2], ' + room + "[3, %s]]}"
    with (
        live.running(models=toy_models, model="toy", max_chunk_steps=4096) as url,
        connect(live.websocket_url(url)) as socket,
    ):
        talk = Talk(socket)
        talk.hear()
        for start, broken in enumerate(("NaN", '"text"', "1]", "null")):
            for message in (said % (4 * start, "4"), said % (4 * start + 2, broken)):
                socket.send(message)
            socket.send(said % (4 * start + 2, "4"))
            assert talk.hear()["position"] == 4 * start + 2
            assert talk.hear()["type"] == "error"
            assert talk.hear()["position"] == 4 * start + 4
        assert talk.say({"type": "end"}) == {"type": "ended", "position": 16}


def test_a_message_that_waits_goes_with_its_connection(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not read, and whoever sends ahead has turns again."""
    said = '{"type": "chunk", "offset": %d, "steps": [[0, 1], ' + " " * 4 * LARGE + "[0, 1]]}"
    size = len(said)
    with live.running(models=toy_models, model="toy", max_chunk_steps=4096) as url:
        address = live.websocket_url(url)
        with (
            held_decoding(monkeypatch, StreamDecoder) as (given, begun, go_on),
            httpx.Client(base_url=url, timeout=120) as client,
        ):
            with connect(address) as first, connect(address) as second:
                streams = [Talk(each).hear()["stream"] for each in (first, second)]
                first.send(said % 0)
                assert begun.wait(100)
                second.send(said % 0)
                until(lambda: sample(client, "larnn_waiting_bytes") > 1.5 * size, "it has not come")
                for each in (first, second):
                    each.socket.shutdown(2)
            until(lambda: sample(client, "larnn_waiting_bytes") < 1.5 * size, "it is still here")
            go_on.set()
            until(lambda: not sample(client, "larnn_waiting_bytes"), "it is still here")
            assert len(given) == 1
        for stream in streams:
            with connect(f"{address}?stream={stream}") as again:
                talk = Talk(again)
                assert talk.hear()["position"] == 0
                for number in range(4):
                    again.send(said % (2 * number))
                assert [talk.hear()["position"] for _ in range(4)] == [2, 4, 6, 8]


def test_what_waits_of_an_older_connection_does_not_move_the_stream_behind_a_greeting(
    toy_models: Path,
) -> None:
    room = " " * (LARGE + 1)
    said = '{"type": "chunk", "offset": %d, "steps": [[0, 1], ' + room + "[0, 1]]}"
    with live.running(models=toy_models, model="toy", max_chunk_steps=4096) as url:
        address = live.websocket_url(url)
        with connect(address) as older:
            stream = Talk(older).hear()["stream"]
            for number in range(8):
                older.send(said % (2 * number))
            with connect(f"{address}?stream={stream}&logits=true") as newer:
                talk = Talk(newer)
                position = talk.hear()["position"]
                told = talk.chunk(position, [[1000, 0]])
        assert told["position"] == position + 1
        assert told["logits"] == [1000, position, position + 1]
