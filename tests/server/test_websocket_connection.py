"""Connections that speak websocket: handshakes, frames in any pieces, order, endings, and what
they leave."""

from __future__ import annotations

import contextlib
import gc
import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from websockets.frames import Frame, Opcode
from websockets.sync.client import ClientConnection, connect

from larnn_service.endpoints.stream_session import StreamSession
from larnn_service.transport.http_connection import HttpConnection
from larnn_service.transport.websocket_connection import WebSocketConnection
from tests import live
from tests.server.chunks import HANDSHAKE, STEPS, binary, chunk, in_bytes, in_fragments, masked
from tests.server.raw import GOOD, answers, connected, held_runs, request, until_closed
from tests.server.test_stream import BINARY, Talk
from tests.until import until

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
    chunk(18, explain=True),
    chunk(18, text="words"),
    '{"type": "chunk"',
    '{"type": "other"}',
    chunk(18),
    '{"type": "end"}',
]
BINARY_MESSAGES = [binary(0), binary(3), binary(3), binary(9), binary(6, []), b"short", chunk(6)]


@pytest.fixture
def talk(toy_url: str) -> Iterator[Talk]:
    """An open stream, greeted."""
    with connect(live.websocket_url(toy_url)) as socket:
        talk = Talk(socket)
        talk.hear()
        yield talk


@pytest.mark.parametrize(
    ("messages", "subprotocols"), [(JSON_MESSAGES, None), (BINARY_MESSAGES, BINARY)]
)
def test_the_answers_do_not_depend_on_the_pieces(
    toy_url: str, messages: list[str | bytes], subprotocols: Any
) -> None:
    told = []
    for send in (ClientConnection.send, in_fragments, in_bytes):
        with connect(live.websocket_url(toy_url), subprotocols=subprotocols) as socket:
            talk, heard = Talk(socket), []
            talk.hear()
            for message in messages:
                send(socket, message)
                heard.append(talk.hear())
        told.append(heard)
    assert told[0] == told[1] == told[2]
    assert told[0][0]["position"] == 3


def test_a_burst_is_answered_in_order(talk: Talk) -> None:
    talk.say(chunk(0))
    talk.socket.socket.sendall(b"".join(masked(chunk(3 * number)) for number in range(1, 50)))
    assert [talk.hear()["position"] for _ in range(1, 50)] == list(range(6, 153, 3))
    assert talk.say(chunk(150))["position"] == 153


def test_control_frames_come_between_all_others(talk: Talk) -> None:
    """Behind a chunk, before one, and between the fragments of one."""
    ping, text = Frame(Opcode.PING, b"well?").serialize(mask=True), chunk(3).encode()
    halves = (
        Frame(Opcode.TEXT, text[:9], fin=False).serialize(mask=True),
        Frame(Opcode.CONT, text[9:]).serialize(mask=True),
    )
    talk.socket.socket.sendall(masked(chunk(0)) + ping + halves[0] + ping + halves[1] + ping)
    assert [talk.hear()["position"] for _ in range(2)] == [3, 6]
    assert talk.say(chunk(6))["position"] == 9


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(Opcode.TEXT, b"not masked").serialize(mask=False), 1002),
        (b"\xc1\x80\x00\x00\x00\x00", 1002),
        (b"\x83\x80\x00\x00\x00\x00", 1002),
        (Frame(Opcode.TEXT, b"\xff").serialize(mask=True), 1007),
        (Frame(Opcode.CONT, b"of nothing").serialize(mask=True), 1002),
        (b"\x09\x80\x00\x00\x00\x00", 1002),
        (b"\x81\xff\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00", 1009),
    ],
    ids=[
        "not masked",
        "compressed",
        "of a reserved kind",
        "no UTF-8",
        "a continuation of nothing",
        "a ping in fragments",
        "4 GiB",
    ],
)
def test_a_malformed_frame_closes_behind_the_answers(talk: Talk, frame: bytes, code: int) -> None:
    talk.say(chunk(0))
    talk.socket.socket.sendall(frame)
    assert talk.close_code() == code


def test_who_sends_and_goes_at_once_is_heard(toy_url: str) -> None:
    with connect(live.websocket_url(toy_url)) as own:
        stream = Talk(own).hear()["stream"]
        own.socket.sendall(masked(chunk(0)))
        own.socket.shutdown(socket.SHUT_RDWR)
    with connect(f"{live.websocket_url(toy_url)}?stream={stream}") as own:
        assert Talk(own).hear()["position"] == 3


def test_each_client_of_a_turn_has_its_own_answer(toy_url: str) -> None:
    def said(index: int) -> str:
        return chunk(0, [[float(index), 2.0]] * (index % 3 + 1), logits=True)

    with contextlib.ExitStack() as stack:
        talks = [Talk(stack.enter_context(connect(live.websocket_url(toy_url)))) for _ in range(30)]
        for talk in talks:
            talk.hear()
        messages = [said(index) for index in range(len(talks))]
        messages[4], messages[9], messages[20] = "{", chunk(7), chunk(0, [[1.0]])
        for talk, message in zip(talks, messages, strict=True):
            talk.socket.send(message)
        told = [talk.hear() for talk in talks]
        again = [talk.say(message) for talk, message in zip(talks, messages, strict=True)]
    assert again == told
    codes = {index: answer["code"] for index, answer in enumerate(told) if "code" in answer}
    assert codes == {4: "bad_json", 9: "gap", 20: "bad_shape"}
    for index, answer in enumerate(told):
        if index not in codes:
            steps = index % 3 + 1
            assert (answer["position"], answer["logits"][0]) == (steps, index * steps)


def upgraded(own: socket.socket) -> bytes:
    """What comes up to the end of the handshake's response, and behind it what came along."""
    data = b""
    while b"\r\n\r\n" not in data[data.find(b"HTTP/1.1 101") :] or b"HTTP/1.1 101" not in data:
        assert (more := own.recv(2**16)), data
        data += more
    return data


def heard(own: socket.socket, data: bytes, count: int) -> list[dict[str, Any]]:
    """So many messages, each in a short frame; `data` is what came before."""
    told: list[dict[str, Any]] = []
    while len(told) < count:
        start = 4 if len(data) > 1 and data[1] == 126 else 2
        end = start + int.from_bytes(data[2:4] if start == 4 else data[1:2], "big")
        if len(data) < max(4, end):
            assert (more := own.recv(2**16)), data
            data += more
        else:
            told.append(json.loads(data[start:end]))
            data = data[end:]
    return told


@pytest.mark.parametrize("in_one", [True, False])
def test_a_handshake_may_have_requests_before_it_and_frames_behind(
    client: httpx.Client, in_one: bool
) -> None:
    asked = request(GOOD) + HANDSHAKE + masked(chunk(0)) + masked(chunk(3))
    with connected(client) as own:
        for start in range(0, len(asked), len(asked) if in_one else 1):
            own.sendall(asked[start : start + (len(asked) if in_one else 1)])
        data = upgraded(own)
        assert data.startswith(b"HTTP/1.1 200 OK\r\n")
        behind = data[data.index(b"\r\n\r\n", data.index(b"HTTP/1.1 101")) + 4 :]
        told = heard(own, behind, 3)
    assert told[0]["type"] == "opened"
    assert [answer["position"] for answer in told[1:]] == [3, 6]


def test_a_handshake_behind_a_request_at_work_waits_for_its_answer(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connected(client) as own:
        with held_runs(monkeypatch) as (begun, _):
            own.sendall(request(GOOD) + HANDSHAKE)
            assert begun.wait(100)
        assert upgraded(own).startswith(b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize(
    ("old", "new", "status"),
    [
        (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b"", 400),
        (b"dGhlIHNhbXBsZSBub25jZQ==", b"no key", 400),
        (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 8", 400),
    ],
)
def test_a_handshake_that_is_none_is_refused_and_closed(
    client: httpx.Client, old: bytes, new: bytes, status: int
) -> None:
    with connected(client) as own:
        own.sendall(HANDSHAKE.replace(old, new))
        told = until_closed(own)
    assert told.startswith(b"HTTP/1.1 %d " % status)
    assert b"\r\nconnection: close\r\n" in told


def left() -> int:
    """How many connections and sessions there are."""
    kinds = HttpConnection, WebSocketConnection, StreamSession
    everything = gc.get_objects()  # some warn, or raise, when `isinstance` asks them
    return sum(type(thing) in kinds for thing in everything)


def ends(talk: Talk) -> None:
    assert talk.say('{"type": "end"}')["type"] == "ended"
    assert talk.close_code() == 1000


def closes(talk: Talk) -> None:
    talk.socket.close()


def hangs_up(talk: Talk) -> None:
    talk.socket.socket.sendall(masked(chunk(3))[:9])
    talk.socket.socket.shutdown(socket.SHUT_RDWR)


def sends_garbage(talk: Talk) -> None:
    talk.socket.socket.sendall(b"\xff" * 99)
    assert talk.close_code() == 1002


@pytest.mark.parametrize("leaves", [ends, closes, hangs_up, sends_garbage])
def test_a_connection_that_is_lost_leaves_nothing(
    client: httpx.Client, toy_url: str, leaves: Callable[[Talk], None]
) -> None:
    """Without the collector of cycles."""
    assert client.get("/readyz").is_success
    gc.collect()
    gc.disable()
    try:
        before = left()
        for _ in range(3):
            with connect(live.websocket_url(toy_url)) as socket:
                talk = Talk(socket)
                talk.hear()
                talk.say(chunk(0))
                leaves(talk)
        until(lambda: left() <= before, "something is left")
    finally:
        gc.enable()


def test_a_connection_that_was_refused_harms_no_other(client: httpx.Client, talk: Talk) -> None:
    with connected(client) as own:
        own.sendall(HANDSHAKE.replace(b"13", b"8"))
        until_closed(own)
        assert talk.say(chunk(0))["position"] == 3
    with connected(client) as own:
        own.sendall(request(GOOD))
        assert len(answers(own, 1)) == 1
