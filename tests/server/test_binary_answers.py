"""The subprotocol larnn.f32.v2 against the running service: the answers of JSON, bit for bit."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests import live, many_outputs
from tests.wire.test_answer_arrays import read

V2 = [Subprotocol("larnn.f32.v2")]
STEPS = np.array([[1, -2], [3, 4], [0.5, -1], [2, -9], [1, 1]], np.float32)
TRUTH = many_outputs.expected(STEPS)
FURTHER = ["signs", "chance", "steps_seen", "grid"]
ALL = "&outputs=" + ",".join(FURTHER)


class Talk:
    """A websocket whose answers are binary."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.opened = json.loads(socket.recv(timeout=120))

    def say(self, message: str | bytes) -> Any:
        """A binary answer with every output, or the JSON of a text."""
        self.socket.send(message)
        answer = self.socket.recv(timeout=120)
        return read(answer, FURTHER) if isinstance(answer, bytes) else json.loads(answer)

    def chunk(self, start: int, end: int, acked: int | None = None) -> Any:
        acks = start if acked is None else acked
        return self.say(struct.pack("<2Q", start, acks) + STEPS[start:end].tobytes())


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    many_outputs.publish(root)
    return root


@pytest.fixture(scope="module")
def url(models: Path) -> Iterator[str]:
    with live.running(models=models, model="many") as url:
        yield url


def open_stream(url: str, query: str = "") -> ClientConnection:
    address = f"{live.websocket_url(url)}?{query}"
    return connect(address, compression=None, subprotocols=V2)


def check(told: tuple[int, int, dict[str, NDArray[Any]]], end: int, places: list[int]) -> None:
    position, durable, arrays = told
    assert (position, durable) == (end, end)
    assert list(arrays) == list(TRUTH)
    for name, array in arrays.items():
        assert array.dtype == TRUTH[name].dtype
        np.testing.assert_allclose(array, TRUTH[name][places], atol=1e-6)


@pytest.mark.parametrize(
    ("emit", "first", "second"),
    [("last", [1], [4]), ("every", [0, 1], [2, 3, 4]), ("2", [1], [3, 4]), ("9", [1], [4])],
)
def test_each_step_that_is_asked_for_is_told(
    url: str, emit: str, first: list[int], second: list[int]
) -> None:
    with open_stream(url, f"emit={emit}{ALL}") as socket:
        assert socket.subprotocol == V2[0]
        talk = Talk(socket)
        assert [output["name"] for output in talk.opened["outputs"]] == list(TRUTH)
        check(talk.chunk(0, 2), 2, first)
        check(talk.chunk(2, 5), 5, second)
        assert talk.say('{"type": "end"}') == {"type": "ended", "position": 5}


def test_the_answer_alone_is_told_unless_more_is_asked_for(url: str) -> None:
    with open_stream(url) as socket:
        Talk(socket)
        socket.send(struct.pack("<2Q", 0, 0) + STEPS[:2].tobytes())
        answer = socket.recv(timeout=120)
        assert isinstance(answer, bytes)
        position, durable, arrays = read(answer, [])
        assert (position, durable, list(arrays)) == (2, 2, ["sums"])
        assert arrays["sums"].tolist() == TRUTH["sums"][1:2].tolist()


def test_what_is_sent_again_is_answered_from_what_was_kept(url: str) -> None:
    with open_stream(url, f"emit=every{ALL}") as socket:
        talk = Talk(socket)
        first = talk.chunk(0, 2)
        again = talk.chunk(0, 2)
        overlapping = talk.chunk(1, 4, acked=0)
        whole = talk.chunk(0, 5)
        for told, places in ((first, [0, 1]), (again, [0, 1]), (overlapping, [1, 2, 3])):
            check(told, places[-1] + 1, places)
        check(whole, 5, [0, 1, 2, 3, 4])
        for name, array in first[2].items():
            assert array.tobytes() == again[2][name].tobytes() == whole[2][name][:2].tobytes()


def test_a_gap_and_what_was_acknowledged_are_told_as_json(url: str) -> None:
    with open_stream(url, f"emit=every{ALL}") as socket:
        talk = Talk(socket)
        gap = talk.chunk(3, 5)
        assert (gap["type"], gap["code"], gap["expected_offset"]) == ("error", "gap", 0)
        check(talk.chunk(0, 3), 3, [0, 1, 2])
        talk.chunk(3, 4)  # acknowledges all before
        gone = talk.chunk(0, 3)
        assert (gone["code"], gone["expected_offset"]) == ("bad_value", 4)
        behind = talk.chunk(4, 5, acked=5)
        assert (behind["code"], "acked 5" in behind["detail"]) == ("bad_value", True)
        check(talk.chunk(3, 5), 5, [3, 4])


def test_it_goes_on_with_a_stream_of_any_form(url: str) -> None:
    with open_stream(url, f"emit=every{ALL}") as socket:
        talk = Talk(socket)
        check(talk.chunk(0, 2), 2, [0, 1])
    address = f"{live.websocket_url(url)}?stream={talk.opened['stream']}"
    with connect(address) as socket:
        assert json.loads(socket.recv(timeout=120))["position"] == 2
        steps = {"type": "chunk", "offset": 2, "acked": 0, "steps": STEPS[2:4].tolist()}
        socket.send(json.dumps(steps))
        assert json.loads(socket.recv(timeout=120))["position"] == 4
    with open_stream(url, f"stream={talk.opened['stream']}&emit=every{ALL}") as socket:
        resumed = Talk(socket)
        assert resumed.opened["position"] == 4
        check(resumed.chunk(0, 5), 5, [0, 1, 2, 3, 4])


def test_what_was_answered_before_a_restart_is_answered_again(models: Path, tmp_path: Path) -> None:
    settings = {"models": models, "model": "many", "store": f"sqlite:///{tmp_path}/streams.db"}
    with live.running(**settings) as url, open_stream(url, f"emit=every{ALL}") as socket:
        talk = Talk(socket)
        _, _, before = talk.chunk(0, 3)
    query = f"stream={talk.opened['stream']}&emit=every{ALL}"
    with live.running(**settings) as url, open_stream(url, query) as socket:
        resumed = Talk(socket)
        assert (resumed.opened["position"], resumed.opened["survives"]) == (3, "restart")
        _, _, again = resumed.chunk(0, 3)
        assert {n: a.tobytes() for n, a in again.items()} == {
            n: a.tobytes() for n, a in before.items()
        }
        assert resumed.chunk(3, 5)[0] == 5


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (b"\0" * 8, "bad_message"),
        (b"\0" * 20, "bad_message"),
        (b"\0" * 16, "empty_chunk"),
        (struct.pack("<2Q2f", 0, 0, float("nan"), 0), "bad_value"),
        ('{"type": "chunk", "offset": 0, "steps": [[1, 2]]}', "bad_message"),
        ("{", "bad_json"),
    ],
)
def test_bad_input_is_answered_as_json_and_the_stream_lives_on(
    url: str, message: str | bytes, code: str
) -> None:
    with open_stream(url, f"emit=every{ALL}") as socket:
        talk = Talk(socket)
        assert talk.say(message)["code"] == code
        check(talk.chunk(0, 2), 2, [0, 1])


@pytest.mark.parametrize(("query", "code"), [("explain=true", 4422), ("model=none", 4404)])
def test_what_it_cannot_answer_is_refused_at_once(url: str, query: str, code: int) -> None:
    with open_stream(url, query) as socket:
        assert json.loads(socket.recv(timeout=120))["type"] == "error"
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=120)
        assert closed.value.rcvd is not None and closed.value.rcvd.code == code


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["larnn.json.v1", "larnn.f32.v1", "larnn.f32.v2"], "larnn.f32.v2"),
        (["larnn.f32.v1", "larnn.f32.v3"], "larnn.f32.v1"),
        (["larnn.json.v1"], "larnn.json.v1"),
    ],
)
def test_the_most_compact_form_that_is_offered_is_chosen(
    url: str, offered: list[str], chosen: str
) -> None:
    names = [Subprotocol(name) for name in offered]
    with connect(live.websocket_url(url), subprotocols=names) as socket:
        assert socket.subprotocol == chosen
