"""WS /stream against the running service."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests import live

BINARY = [Subprotocol("larnn.f32.v1")]


class Talk:
    """A websocket that speaks JSON."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def hear(self) -> dict[str, Any]:
        answer: dict[str, Any] = json.loads(self.socket.recv(timeout=120))
        return answer

    def say(self, message: dict[str, Any] | str | bytes) -> dict[str, Any]:
        self.socket.send(json.dumps(message) if isinstance(message, dict) else message)
        return self.hear()

    def chunk(self, offset: int, steps: list[list[float]], **more: Any) -> dict[str, Any]:
        return self.say({"type": "chunk", "offset": offset, "steps": steps, **more})

    def close_code(self) -> int:
        with pytest.raises(ConnectionClosed) as closed:
            self.socket.recv(timeout=120)
        assert closed.value.rcvd is not None
        return closed.value.rcvd.code


@pytest.fixture
def talk(toy_url: str) -> Iterator[Talk]:
    """An open stream on the toy; its `opened` message is still to be heard."""
    with connect(live.websocket_url(toy_url)) as socket:
        yield Talk(socket)


def test_opened_says_all_that_a_client_needs(talk: Talk) -> None:
    opened = talk.hear()
    assert len(opened.pop("stream")) == 48
    assert opened == {
        "type": "opened",
        "model": "toy",
        "version": 1,
        "position": 0,
        "durable": 0,
        "survives": "connection",
        "input": {"channels": [{"name": "left", "unit": "g"}, {"name": "right", "unit": "g"}]},
        "channels": ["left", "right"],
        "labels": ["LEFT", "RIGHT", "LONG"],
        "outputs": [
            {
                "name": "logits",
                "task": "classes",
                "dtype": "float32",
                "labels": ["LEFT", "RIGHT", "LONG"],
            }
        ],
    }


def test_chunks_of_any_size_carry_the_state_on(talk: Talk) -> None:
    talk.hear()
    first = talk.chunk(0, [[1, 2]], logits=True)
    assert (first["type"], first["position"], first["logits"]) == ("prediction", 1, [1, 2, 1])
    assert first["durable"] == 1
    second = talk.chunk(1, [[1, 1]] * 99, logits=True)
    assert (second["position"], second["logits"]) == (100, [100, 101, 100])
    assert second["label"] == "RIGHT"
    assert "predictions" not in second


def test_every_step_is_answered_when_asked(talk: Talk) -> None:
    talk.hear()
    answer = talk.chunk(0, [[1, 0], [0, 3]], emit="every", logits=True)
    assert [step["logits"] for step in answer["predictions"]] == [[1, 0, 1], [1, 3, 2]]
    assert answer["logits"] == [1, 3, 2]


def test_every_third_step_is_answered_when_asked_however_chunks_are_cut(talk: Talk) -> None:
    talk.hear()
    steps, found = [[1.0, 0.0]] * 10, []
    for start, end in ((0, 2), (2, 3), (3, 9), (9, 10)):
        answer = talk.chunk(start, steps[start:end], emit=3, logits=True)
        assert answer["logits"] == [end, 0, end]
        found += [step["logits"][2] for step in answer["predictions"]]
    assert found == [3, 6, 9]


def test_the_address_sets_what_is_answered(toy_url: str) -> None:
    url = live.websocket_url(toy_url) + "?model=toy&emit=every&logits=true"
    with connect(url, subprotocols=BINARY) as socket:
        assert socket.subprotocol == "larnn.f32.v1"
        talk = Talk(socket)
        talk.hear()
        steps = np.array([[1, 0], [0, 3]], dtype="<f4")
        answer = talk.say(struct.pack("<Q", 0) + steps.tobytes())
        assert [step["logits"] for step in answer["predictions"]] == [[1, 0, 1], [1, 3, 2]]
        assert talk.say({"type": "end"}) == {"type": "ended", "position": 2}


def test_a_chunk_sent_again_is_answered_and_not_counted_again(talk: Talk) -> None:
    talk.hear()
    first = talk.chunk(0, [[1, 2], [3, 4]], logits=True)
    assert talk.chunk(0, [[1, 2], [3, 4]], logits=True) == first
    longer = talk.chunk(0, [[1, 2], [3, 4], [1, 1]], logits=True)
    assert (longer["position"], longer["logits"]) == (3, [5, 7, 3])


def test_unacknowledged_answers_are_kept(talk: Talk) -> None:
    talk.hear()
    talk.chunk(0, [[1, 0]])
    talk.chunk(1, [[1, 0]], acked=0)
    again = talk.chunk(0, [[1, 0]], acked=0, logits=True)
    assert (again["position"], again["logits"]) == (1, [1, 0, 1])
    talk.chunk(2, [[1, 0]], acked=2)
    gone = talk.chunk(0, [[1, 0]])
    assert (gone["code"], gone["expected_offset"]) == ("bad_value", 3)


def test_a_gap_is_refused_with_the_expected_offset(talk: Talk) -> None:
    talk.hear()
    talk.chunk(0, [[1, 2]])
    gap = talk.chunk(5, [[1, 2]])
    assert (gap["type"], gap["code"], gap["expected_offset"]) == ("error", "gap", 1)
    assert talk.chunk(1, [[1, 2]])["position"] == 2


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ('{"type": "chunk", "off', "bad_json"),
        ("[]", "bad_message"),
        ('{"type": "chunks"}', "bad_message"),
        ({"type": "chunk", "steps": [[1, 2]]}, "bad_message"),
        ({"type": "chunk", "offset": -1, "steps": [[1, 2]]}, "bad_message"),
        ({"type": "chunk", "offset": 0, "steps": [[1, 2]], "emit": "some"}, "bad_message"),
        ({"type": "chunk", "offset": 0, "steps": [[1, 2]], "emit": 0}, "bad_message"),
        ({"type": "chunk", "offset": 0, "steps": [[1, 2]], "acked": 1}, "bad_value"),
        ({"type": "chunk", "offset": 0, "steps": []}, "empty_chunk"),
        ({"type": "chunk", "offset": 0, "steps": [[1, 2, 3]]}, "bad_shape"),
        ({"type": "chunk", "offset": 0, "steps": [1, 2]}, "bad_shape"),
        ({"type": "chunk", "offset": 0, "steps": [[1, "2"]]}, "bad_value"),
        ('{"type": "chunk", "offset": 0, "steps": [[1, NaN]]}', "bad_value"),
        ('{"type": "chunk", "offset": 0, "steps": [[1, 1e39]]}', "bad_value"),
        ({"type": "chunk", "offset": 1, "steps": [[3e38, 0]] * 2}, "bad_value"),
        ({"type": "chunk", "offset": 0, "steps": [[1, 2]] * 1025}, "too_large"),
        (b"\0" * 16, "bad_message"),
    ],
)
def test_bad_input_is_answered_and_the_stream_lives_on(
    talk: Talk, message: dict[str, Any] | str | bytes, code: str
) -> None:
    talk.hear()
    talk.chunk(0, [[1, 2]])
    error = talk.say(message)
    assert (error["type"], error["code"]) == ("error", code)
    assert talk.chunk(1, [[1, 2]], logits=True)["logits"] == [2, 4, 2]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({"type": "chunk", "offset": 0, "steps": [[1, 2]]}, "bad_message"),
        (b"\0" * 7, "bad_message"),
        (b"\0" * 12, "bad_message"),
        (b"\0" * 8, "empty_chunk"),
        (struct.pack("<Qff", 0, float("nan"), 0), "bad_value"),
        (struct.pack("<Qff", 9, 0, 0), "gap"),
    ],
)
def test_a_bad_binary_frame_is_answered_and_the_stream_lives_on(
    toy_url: str, message: dict[str, Any] | bytes, code: str
) -> None:
    with connect(live.websocket_url(toy_url), subprotocols=BINARY) as socket:
        talk = Talk(socket)
        talk.hear()
        assert talk.say(message)["code"] == code
        assert talk.say(struct.pack("<Qff", 0, 1, 2))["position"] == 1


@pytest.mark.parametrize(
    ("query", "code", "close"),
    [
        ("?model=other", "unknown_model", 4404),
        ("?stream=made-up", "unknown", 4404),
        ("?emit=some", "bad_message", 4422),
        ("?emit=0", "bad_message", 4422),
    ],
)
def test_a_stream_that_cannot_open_says_why_and_closes(
    toy_url: str, query: str, code: str, close: int
) -> None:
    with connect(live.websocket_url(toy_url) + query) as socket:
        talk = Talk(socket)
        assert talk.hear()["code"] == code
        assert talk.close_code() == close


def test_resuming_continues_and_moves_the_older_connection(toy_url: str, talk: Talk) -> None:
    stream = talk.hear()["stream"]
    talk.chunk(0, [[1, 2]])
    with connect(f"{live.websocket_url(toy_url)}?stream={stream}") as socket:
        resumed = Talk(socket)
        opened = resumed.hear()
        assert (opened["stream"], opened["position"]) == (stream, 1)
        assert talk.hear()["code"] == "moved"
        assert talk.close_code() == 4411
        assert resumed.chunk(1, [[1, 2]], logits=True)["logits"] == [2, 4, 2]


def test_a_dropped_connection_loses_no_step(toy_url: str) -> None:
    with connect(live.websocket_url(toy_url)) as socket:
        talk = Talk(socket)
        stream = talk.hear()["stream"]
        talk.chunk(0, [[1, 2]])
    with connect(f"{live.websocket_url(toy_url)}?stream={stream}") as socket:
        talk = Talk(socket)
        assert talk.hear()["position"] == 1
        assert talk.chunk(1, [[1, 2]], logits=True)["logits"] == [2, 4, 2]


def test_end_answers_the_position_closes_and_answers_the_same_again(toy_url: str) -> None:
    with connect(live.websocket_url(toy_url)) as socket:
        talk = Talk(socket)
        stream = talk.hear()["stream"]
        talk.chunk(0, [[1, 2]])
        assert talk.say({"type": "end"}) == {"type": "ended", "position": 1}
        assert talk.close_code() == 1000
    with connect(f"{live.websocket_url(toy_url)}?stream={stream}") as socket:
        talk = Talk(socket)
        assert talk.hear()["position"] == 1
        assert talk.say({"type": "end"}) == {"type": "ended", "position": 1}
        assert talk.close_code() == 1000
    with connect(f"{live.websocket_url(toy_url)}?stream={stream}") as socket:
        talk = Talk(socket)
        talk.hear()
        assert talk.chunk(1, [[1, 2]])["code"] == "expired"
        assert talk.close_code() == 4410


def test_pipelined_chunks_are_answered_in_order(talk: Talk) -> None:
    talk.hear()
    for offset in range(50):
        talk.socket.send(json.dumps({"type": "chunk", "offset": offset, "steps": [[1, 0]]}))
    assert [talk.hear()["position"] for _ in range(50)] == list(range(1, 51))
