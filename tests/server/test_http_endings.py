"""Connections that end, and what they leave: idle ones, errors, hang-ups, lateness, the drain."""

from __future__ import annotations

import contextlib
import gc
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from larnn_service.endpoints.exchange import Exchange
from larnn_service.engine.engine import Engine
from larnn_service.transport.framework_request import FrameworkRequest
from larnn_service.transport.http_connection import HttpConnection
from larnn_service.transport.http_message import Message
from tests import live
from tests.server.raw import (
    GOOD,
    answers,
    connected,
    first_logit,
    held_runs,
    read_by_now,
    request,
    responses,
    until_closed,
    with_logits,
)
from tests.server.test_metrics import sample
from tests.until import until

REQUESTS = "larnn_http_request_duration_seconds_count"


def test_idle_connections_are_closed_and_none_that_is_at_work(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        live.running(models=toy_models, model="toy", keep_alive=0.3) as url,
        httpx.Client(base_url=url, timeout=120) as client,
        contextlib.ExitStack() as stack,
    ):
        made = [stack.enter_context(connected(client)) for _ in range(5)]
        busy, behind, idle, silent, early = made
        with held_runs(monkeypatch) as (begun, _):
            busy.sendall(request(GOOD))
            assert begun.wait(100)
            behind.sendall(request(b"{") + request(GOOD))
            early.sendall(request(b"", method="PUT", size=len(GOOD)))
            assert len(answers(early, 1)) == 1
            early.sendall(GOOD)
            for _ in range(2):
                idle.sendall(request(b"{"))
                assert len(answers(idle, 1)) == 1
            for each in (idle, silent, early):
                assert until_closed(each) == b""
        assert len(answers(busy, 1)) == 1
        assert len(answers(behind, 2)) == 2
        for each in (busy, behind):
            assert until_closed(each) == b""


def test_an_error_that_nobody_foresaw_tells_nothing_and_harms_nobody_else(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    classify = Engine.classify

    def fails(
        self: Engine, model: object, sequences: list[np.ndarray], *rest: object, **more: object
    ) -> object:
        if sequences[0][0, 0] == 4:
            raise RuntimeError("a secret")
        return classify(self, model, sequences, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "classify", fails)
    with contextlib.ExitStack() as stack:
        kept = [stack.enter_context(connected(client)) for _ in range(9)]
        for value, each in enumerate(kept):
            each.sendall(request(with_logits(value)) + request(with_logits(0)))
        for value, each in enumerate(kept):
            (head, body), (_, next_body) = responses(each, 2)
            if value == 4:
                assert head.startswith(b"HTTP/1.1 500 ")
                assert json.loads(body)["code"] == "internal"
                assert b"secret" not in body
            else:
                assert first_logit(body) == value
            assert first_logit(next_body) == 0


def test_who_hangs_up_is_counted_and_leaves_nothing(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With part of a head, with half of a body, and with one that is run."""

    def gone(model: str) -> float:
        try:
            return sample(client, REQUESTS, door="/classify", status="499", model=model)
        except ValueError:
            return 0

    def waiting(name: str) -> float:
        return sample(client, name)

    before = gone(""), gone("toy")
    with connected(client) as part:
        part.sendall(request(GOOD)[:30])
    with connected(client) as half:
        half.sendall(request(b" " * 40_000, size=50_000))
        until(lambda: waiting("larnn_waiting_bytes") >= 20_000, "half a body does not count")
    until(lambda: waiting("larnn_waiting_bytes") == 0, "bytes of those that went away count")
    with held_runs(monkeypatch) as (begun, _), connected(client) as whole:
        whole.sendall(request(GOOD))
        assert begun.wait(100)
        assert waiting_steps(client) == 1
        whole.close()
        until(lambda: waiting_steps(client) == 0, "steps of who went away wait")
    after = before[0] + 1, before[1] + 1
    until(lambda: (gone(""), gone("toy")) == after, "those that went away are not counted")


def waiting_steps(client: httpx.Client) -> float:
    return sample(client, "larnn_waiting_steps", model="toy")


def left(*kinds: type) -> int:
    """How many there are."""
    everything = gc.get_objects()  # some warn, or raise, when `isinstance` asks them
    return sum(type(thing) in kinds for thing in everything)


@contextlib.contextmanager
def leaving_nothing() -> Iterator[None]:
    """Without the collector of cycles, no exchange and no connection more than before."""
    kinds = Exchange, Message, FrameworkRequest, HttpConnection
    gc.collect()
    gc.disable()
    try:
        before = left(*kinds)
        yield
        until(lambda: left(*kinds) <= before, "something is left")
    finally:
        gc.enable()


def closes(client: httpx.Client) -> None:
    for body in (GOOD, b"{") * 5:
        with connected(client) as own:
            own.sendall(request(body, "Connection: close"))
            assert until_closed(own)


def hangs_up(client: httpx.Client) -> None:
    for asked in (request(GOOD), request(GOOD, size=100), b"POST", request(GOOD) + b"\0"):
        with connected(client) as own:
            own.sendall(asked)
            read_by_now(client)


def asks_the_framework(client: httpx.Client) -> None:
    for path in ("/readyz", "/nowhere", "/"):
        with connected(client) as own:
            own.sendall(request(method="GET", path=path))
            assert answers(own, 1)


@pytest.mark.parametrize("does", [closes, hangs_up, asks_the_framework])
def test_a_connection_that_is_lost_leaves_nothing(
    client: httpx.Client, does: Callable[[httpx.Client], None]
) -> None:
    read_by_now(client)
    with leaving_nothing():
        does(client)


def test_late_answers_are_full_and_leave_nothing(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        live.running(models=toy_models, model="toy", request_timeout=0.3) as url,
        leaving_nothing(),
        httpx.Client(base_url=url, timeout=120) as client,
        held_runs(monkeypatch),
        connected(client) as kept,
    ):
        for _ in range(3):
            kept.sendall(request(GOOD))
            [(head, body)] = responses(kept, 1)
            assert head.startswith(b"HTTP/1.1 503 ")
            assert json.loads(body)["code"] == "full"
            assert "within 0.3 s" in json.loads(body)["detail"]


def test_what_runs_at_the_drain_is_answered_and_its_connection_closed(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes meanwhile is told of the drain, and an idle connection is closed at once."""
    service = contextlib.ExitStack()
    url = service.enter_context(live.running(models=toy_models, model="toy", drain_timeout=60))
    stopping = threading.Thread(target=service.close)
    client = httpx.Client(base_url=url)
    with (
        client,
        held_runs(monkeypatch) as (begun, go_on),
        connected(client) as own,
        connected(client) as idle,
    ):
        own.sendall(request(GOOD))
        assert begun.wait(100)
        stopping.start()
        assert until_closed(idle) == b""
        with connected(client) as late:
            late.sendall(request(GOOD))
            told = until_closed(late)
        assert told.startswith(b"HTTP/1.1 503 ") and b'"draining"' in told
        go_on.set()
        answer = until_closed(own)
    stopping.join(100)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nconnection: close\r\n" in answer


def test_a_drain_that_takes_too_long_is_told(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = contextlib.ExitStack()
    url = service.enter_context(live.running(models=toy_models, model="toy", drain_timeout=1))
    stopping = threading.Thread(target=service.close)
    with (
        httpx.Client(base_url=url, timeout=120) as client,
        connected(client) as one,
        connected(client) as other,
        held_runs(monkeypatch) as (begun, _),
    ):
        for each in (one, other):
            each.sendall(request(GOOD))
        assert begun.wait(100)
        until(lambda: waiting_steps(client) >= 2, "two requests do not wait")
        stopping.start()
        told = [until_closed(each) for each in (one, other)]
    stopping.join(100)
    for answer in told:
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "draining"
