"""How streams end against their will: drained, killed, moved, idle, full, overrun."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from larnn_client import Backpressure, Client, Expired, Full, Moved, Unreachable
from tests import live
from tests.client.proxy import Fault, Proxy, proxied
from tests.client.recording import SIGNAL, STEPS, check

EDGES = list(range(0, STEPS + 1, 5))
CHUNKS = [SIGNAL[a:b] for a, b in zip(EDGES[:-1], EDGES[1:], strict=True)]


@pytest.fixture
def proxy(toy_url: str) -> Iterator[Proxy]:
    with proxied(toy_url) as proxy:
        yield proxy


def test_a_drained_replica_with_the_memory_store_has_lost_the_stream(
    toy_models: Path, toy_url: str
) -> None:
    with (
        live.process(models=toy_models, model="toy") as service,
        Client(service.url, toy_url) as client,
        client.stream() as stream,
    ):
        stream.send(CHUNKS[0])
        stream.receive(timeout=60)
        service.stop()
        with pytest.raises(Expired, match="shutting down; open a new one"):
            stream.receive(timeout=60)
        with client.stream(logits=True, emit="every") as another:
            check(list(another.predict(CHUNKS)), EDGES)
        stream.close()


def test_a_killed_replica_is_tried_again_and_then_given_up(toy_models: Path, toy_url: str) -> None:
    with (
        live.process(models=toy_models, model="toy") as service,
        Client(service.url, toy_url, retry_for=0.5) as client,
        client.stream() as stream,
    ):
        service.popen.send_signal(signal.SIGKILL)
        service.popen.wait(60)
        stream.send(CHUNKS[0])
        with pytest.raises(Unreachable, match=r"0\.5 s; last: no connection"):
            stream.receive(timeout=60)
        assert client.classify(np.ones((1, 2, 2))).model == "toy"
        stream.close()


def test_a_stream_opens_where_something_answers(toy_url: str) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        dead_url = f"http://127.0.0.1:{dead.getsockname()[1]}"
        with Client(dead_url, toy_url) as client, client.stream() as stream:
            stream.send(CHUNKS[0])
            assert stream.receive(timeout=60).position == 5
            stream.close()
            with client.stream(resume=stream.id) as again:
                assert again.position == 5


def test_a_stream_is_looked_for_at_every_address(toy_models: Path, toy_url: str) -> None:
    with (
        live.running(models=toy_models, model="toy") as other_url,
        Client(toy_url) as client,
        Client(other_url, toy_url) as both,
    ):
        with client.stream() as stream:
            stream.send(CHUNKS[0])
            stream.receive()
            stream.close()
        with both.stream(resume=stream.id) as again:
            assert again.position == 5


def test_who_resumes_a_stream_takes_it_from_the_other(toy_url: str) -> None:
    with (
        Client(toy_url) as first,
        Client(toy_url) as second,
        first.stream() as stream,
        second.stream(resume=stream.id),
    ):
        with pytest.raises(Moved):
            stream.receive(timeout=60)
        stream.close()


def test_an_idle_stream_has_expired(toy_models: Path) -> None:
    with (
        live.running(models=toy_models, model="toy", idle_timeout=0.2) as url,
        Client(url) as client,
        client.stream() as stream,
    ):
        with pytest.raises(Expired, match="idle for too long"):
            stream.receive(timeout=60)
        stream.close()


def test_a_full_service_is_waited_for(toy_models: Path) -> None:
    with live.running(models=toy_models, model="toy", max_streams=1) as url:
        with (
            Client(url, retry_for=0.3) as client,
            client.stream(),
            pytest.raises(Full, match="limit"),
            client.stream(),
        ):
            pass
        with Client(url) as client, client.stream() as stream:
            stream.send(CHUNKS[0])
            assert stream.receive(timeout=60).position == 5


def test_backpressure_narrows_what_is_sent_ahead(toy_models: Path) -> None:
    with (
        live.running(models=toy_models, model="toy", max_unacked_steps=8) as url,
        Client(url) as client,
    ):
        with client.stream(logits=True, emit="every") as stream:
            check(list(stream.predict(CHUNKS, ahead=6)), EDGES)
        with client.stream() as stream:
            stream.send(np.ones((9, 2)))
            with pytest.raises(Backpressure):
                stream.receive(timeout=60)
            stream.close()


def test_the_end_is_told_again_where_its_answer_was_lost(proxy: Proxy) -> None:
    with Client(proxy.url, keepalive=0.3) as client:
        for down in range(150, 1_500, 150):  # somewhere in it lies the answer to `end`
            proxy.faults.append(Fault(down=down))
            with client.stream() as stream:
                stream.send(CHUNKS[0])
                assert stream.end() == 5


def test_a_stream_that_ended_and_is_forgotten_has_ended(toy_models: Path) -> None:
    with (
        live.running(models=toy_models, model="toy", idle_timeout=2) as url,
        proxied(url) as proxy,
        Client(proxy.url, keepalive=2.4) as client,
        client.stream() as stream,
    ):
        stream.send(CHUNKS[0])
        stream.receive(timeout=60)
        proxy.mute()
        assert stream.end() == 5


def test_an_attempt_that_was_given_up_is_no_other_client(proxy: Proxy) -> None:
    """A handshake that reaches the service late takes the stream over from a later one."""
    with (
        Client(proxy.url, connect_timeout=1) as client,
        client.stream(logits=True, emit="every") as stream,
    ):
        proxy.faults.append(Fault(late=True))
        proxy.cut()
        predictions = list(stream.predict(CHUNKS[:6]))
        proxy.release()
        check(predictions + list(stream.predict(CHUNKS[6:])), EDGES)
        assert proxy.connections == 4


def test_the_bundled_model_through_faults_equals_its_uninterrupted_run(har_url: str) -> None:
    with np.load(live.ROOT / "examples" / "recording.npz") as recording:
        steps = recording["signals"][:200]
    with proxied(har_url) as proxy, Client(proxy.url, keepalive=0.3) as client:
        with client.stream(logits=True, emit="every") as stream:
            [whole] = list(stream.predict([steps]))
        proxy.faults.extend(Fault(up=up) for up in (9_000, 20_000, 5_000))
        proxy.faults.extend(Fault(down=down) for down in (3_000, 9_000))
        with client.stream(logits=True, emit="every") as stream:
            parts = list(stream.predict(np.array_split(steps, 23), ahead=4))
    assert [part.position for part in parts] == list(np.cumsum([len(p.steps or ()) for p in parts]))
    got = np.array([step.logits for part in parts for step in part.steps or ()])
    expected = np.array([step.logits for step in whole.steps or ()])
    assert (np.abs(got - expected) <= 1e-5 * np.maximum(1, np.abs(expected))).all()
