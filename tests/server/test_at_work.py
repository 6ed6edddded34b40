"""What meets a chunk at work: other messages, the end, a drain, lateness."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

from larnn_service.endpoints.stream_session import StreamSession
from larnn_service.errors import ServiceError
from tests import live
from tests.server.chunks import STEPS, chunk
from tests.server.raw import held_runs
from tests.server.test_stream import Talk


@contextlib.contextmanager
def at_work(socket: ClientConnection, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The stream's first chunk is, meanwhile."""
    with held_runs(monkeypatch) as (begun, _):
        socket.send(chunk(0))
        assert begun.wait(100)
        yield


@pytest.mark.parametrize("politely", [True, False])
def test_what_is_in_work_when_its_client_goes_counts(
    toy_url: str, monkeypatch: pytest.MonkeyPatch, politely: bool
) -> None:
    with connect(live.websocket_url(toy_url)) as socket:
        talk = Talk(socket)
        stream = talk.hear()["stream"]
        with at_work(socket, monkeypatch):
            if politely:
                socket.protocol.send_close(1000)
                socket.socket.sendall(b"".join(socket.protocol.data_to_send()))
            else:
                socket.socket.shutdown(2)
    with connect(f"{live.websocket_url(toy_url)}?stream={stream}") as socket:
        talk = Talk(socket)
        assert talk.hear()["position"] == 3
        assert talk.chunk(0, STEPS)["position"] == 3
        assert talk.chunk(3, STEPS)["position"] == 6


def test_what_comes_while_a_chunk_is_at_work_has_its_turn(
    toy_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(live.websocket_url(toy_url)) as socket:
        talk = Talk(socket)
        talk.hear()
        with at_work(socket, monkeypatch):
            socket.send(chunk(3))
            answered = socket.ping("well?")
            socket.send([chunk(6)[:1], chunk(6)[1:]])  # as two fragments
        assert [talk.hear()["position"] for _ in range(3)] == [3, 6, 9]
        assert answered.wait(100)
        assert talk.say(chunk(9))["position"] == 12


def test_a_chunk_sent_ahead_is_answered_behind_the_one_at_work(
    toy_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(live.websocket_url(toy_url)) as socket:
        talk = Talk(socket)
        talk.hear()
        with at_work(socket, monkeypatch):
            socket.send(chunk(3))
            assert httpx.get(
                f"{toy_url}/healthz", timeout=100
            ).is_success  # it has been read by now
        assert [talk.hear()["position"] for _ in range(2)] == [3, 6]


def test_a_stream_that_is_removed_while_its_chunk_is_at_work_closes_at_once(
    toy_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(live.websocket_url(toy_url)) as socket:
        talk = Talk(socket)
        stream = talk.hear()["stream"]
        with at_work(socket, monkeypatch):
            assert httpx.delete(f"{toy_url}/streams/{stream}", timeout=100).is_success
        start = time.monotonic()
        assert talk.hear()["code"] == "expired"
        assert talk.close_code() == 4410
        assert time.monotonic() - start < 5  # the server would wait ten seconds for its close frame


@contextlib.contextmanager
def held_until_interrupted(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Runs wait until a connection is told to end: an event that one has begun."""
    interrupt = StreamSession.interrupt
    with held_runs(monkeypatch) as (begun, go_on), monkeypatch.context() as patch:

        def interrupted(connection: StreamSession, error: ServiceError) -> None:
            interrupt(connection, error)
            go_on.set()

        patch.setattr(StreamSession, "interrupt", interrupted)
        yield begun


def answered_then_closed(talk: Talk, reason: str, close: int) -> None:
    assert talk.hear()["position"] == 3
    assert talk.hear()["code"] == reason
    assert talk.close_code() == close


def test_who_is_interrupted_has_its_answer_first(
    toy_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(live.websocket_url(toy_url)) as older:
        talk = Talk(older)
        stream = talk.hear()["stream"]
        with held_until_interrupted(monkeypatch) as begun:
            older.send(chunk(0))
            assert begun.wait(100)
            with connect(f"{live.websocket_url(toy_url)}?stream={stream}") as newer:
                assert Talk(newer).hear()["position"] == 3
        answered_then_closed(talk, "moved", 4411)


def test_a_drain_lets_the_chunk_in_work_be_answered(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.ExitStack() as clients:
        with live.running(models=toy_models, model="toy", drain_timeout=60) as url:
            socket = clients.enter_context(connect(live.websocket_url(url)))
            talk = Talk(socket)
            talk.hear()
            begun = clients.enter_context(held_until_interrupted(monkeypatch))
            socket.send(chunk(0))
            assert begun.wait(100)
        answered_then_closed(talk, "draining", 1012)


def test_a_chunk_that_is_late_may_be_sent_again(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        live.running(models=toy_models, model="toy", request_timeout=1) as url,
        connect(live.websocket_url(url)) as socket,
    ):
        talk = Talk(socket)
        talk.hear()
        with at_work(socket, monkeypatch):
            assert talk.hear()["code"] == "full"
        assert talk.chunk(0, STEPS)["position"] == 3
