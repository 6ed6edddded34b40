"""The short way of a chunk: it answers as the long one does."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from tests import live
from tests.server.chunks import STEPS, Ways, binary, chunk, in_pieces, masked
from tests.server.test_stream import BINARY, Talk

JSON_MESSAGES = [
    chunk(0),
    chunk(0),
    chunk(3, logits=True),
    chunk(6, emit="every", logits=True),
    chunk(9, emit=2),
    chunk(6, [*STEPS, *STEPS, *STEPS]),
    chunk(15, acked=12),
    chunk(18, acked=19),
    chunk(99),
    chunk(0),
    chunk(18, []),
    chunk(18, [[1.0]]),
    chunk(18, [[3e38, 3e38]]),
    chunk(18, explain=True),
    chunk(18, text="words"),
    '{"type": "chunk"',
    '{"type": "chunk", "offset": 18, "steps": [[NaN, 1]]}',
    '{"type": "other"}',
    chunk(18),
    '{"type": "end"}',
]
BINARY_MESSAGES = [binary(0), binary(3), binary(3), binary(9), binary(6, []), b"short", chunk(6)]


@pytest.mark.parametrize(
    ("messages", "subprotocols"), [(JSON_MESSAGES, None), (BINARY_MESSAGES, BINARY)]
)
def test_both_ways_answer_the_same(
    url: str, ways: Ways, messages: list[str | bytes], subprotocols: Any
) -> None:
    told, taken = [], []
    for send in (ClientConnection.send, in_pieces):
        ways.short = ways.long = 0
        with connect(live.websocket_url(url), subprotocols=subprotocols) as socket:
            talk, answers = Talk(socket), []
            talk.hear()
            for message in messages:
                send(socket, message)
                answers.append(talk.hear())
        told.append(answers)
        taken.append(ways.short)
    assert told[0] == told[1]
    assert taken[0] >= 2
    assert taken[1] == 0


def test_chunk_after_chunk_takes_the_short_way(url: str, ways: Ways) -> None:
    with connect(live.websocket_url(url), subprotocols=BINARY) as socket:
        talk = Talk(socket)
        talk.hear()
        for number in range(20):
            assert talk.say(binary(3 * number))["position"] == 3 * number + 3
    assert (ways.short, ways.long) == (20, 0)


def test_the_way_may_change_from_chunk_to_chunk(url: str, ways: Ways) -> None:
    with connect(live.websocket_url(url)) as socket:
        talk = Talk(socket)
        talk.hear()
        for number in range(6):
            if number % 2:
                in_pieces(socket, chunk(3 * number))
            else:
                socket.send(chunk(3 * number))
            assert talk.hear()["position"] == 3 * number + 3
    assert (ways.short, ways.long) == (3, 3)


def test_a_burst_is_answered_in_order(url: str, ways: Ways) -> None:
    with connect(live.websocket_url(url)) as socket:
        talk = Talk(socket)
        talk.hear()
        talk.say(chunk(0))
        socket.socket.sendall(b"".join(masked(chunk(3 * number)) for number in range(1, 50)))
        assert [talk.hear()["position"] for _ in range(1, 50)] == list(range(6, 153, 3))
        assert ways.long >= 1  # what came with others is sent ahead
        assert talk.say(chunk(150))["position"] == 153


def test_a_chunk_with_a_ping_behind_it_is_answered(url: str, ways: Ways) -> None:
    with connect(live.websocket_url(url)) as socket:
        talk = Talk(socket)
        talk.hear()
        ping = Frame(Opcode.PING, b"well?").serialize(mask=True)
        socket.socket.sendall(masked(chunk(0)) + ping)
        assert talk.hear()["position"] == 3
        assert talk.say(chunk(3))["position"] == 6
    assert (ways.short, ways.long) == (1, 1)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(Opcode.TEXT, b"not masked").serialize(mask=False), 1002),
        (b"\xc1\x80\x00\x00\x00\x00", 1002),  # compressed
        (Frame(Opcode.TEXT, b"\xff").serialize(mask=True), 1007),
        (Frame(Opcode.CONT, b"of nothing").serialize(mask=True), 1002),
    ],
    ids=["not masked", "compressed", "no UTF-8", "a continuation"],
)
def test_a_malformed_frame_closes(url: str, ways: Ways, frame: bytes, code: int) -> None:
    with connect(live.websocket_url(url)) as socket:
        talk = Talk(socket)
        talk.hear()
        talk.say(chunk(0))
        socket.socket.sendall(frame)
        assert talk.close_code() == code
    assert (ways.short, ways.long) == (1, 0)


def test_who_sends_and_goes_at_once_is_heard(url: str, ways: Ways) -> None:
    with connect(live.websocket_url(url)) as socket:
        stream = Talk(socket).hear()["stream"]
        socket.socket.sendall(masked(chunk(0)))
        socket.socket.shutdown(2)
    with connect(f"{live.websocket_url(url)}?stream={stream}") as socket:
        assert Talk(socket).hear()["position"] == 3
    assert ways.short == 1


def test_each_client_of_a_turn_has_its_own_answer(url: str, ways: Ways) -> None:
    def said(index: int) -> str:
        return chunk(0, [[float(index), 2.0]] * (index % 3 + 1), logits=True)

    with contextlib.ExitStack() as stack:
        talks = [Talk(stack.enter_context(connect(live.websocket_url(url)))) for _ in range(30)]
        for talk in talks:
            talk.hear()
        messages = [said(index) for index in range(len(talks))]
        messages[4], messages[9], messages[20] = "{", chunk(7), chunk(0, [[1.0]])
        for talk, message in zip(talks, messages, strict=True):
            talk.socket.send(message)
        answers = [talk.hear() for talk in talks]
        again = [talk.say(message) for talk, message in zip(talks, messages, strict=True)]
    assert again == answers
    codes = {index: answer["code"] for index, answer in enumerate(answers) if "code" in answer}
    assert codes == {4: "bad_json", 9: "gap", 20: "bad_shape"}
    for index, answer in enumerate(answers):
        if index not in codes:
            steps = index % 3 + 1
            assert (answer["position"], answer["logits"][0]) == (steps, index * steps)
