"""Streams of the client against the running service."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from larnn_client import (
    AsyncClient,
    BadInput,
    BufferFull,
    Client,
    Expired,
    StreamClosed,
    TooLarge,
    Unknown,
    UnknownModel,
)
from larnn_service.wire import subprotocols
from tests import live
from tests.client.recording import SIGNAL, STEPS, TRUTH, check

EDGES = [0, 1, 8, 20, 21, 60]
CHUNKS = [SIGNAL[a:b] for a, b in zip(EDGES[:-1], EDGES[1:], strict=True)]


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("ahead", [1, 3])
def test_one_prediction_for_each_chunk_in_order(client: Client, binary: bool, ahead: int) -> None:
    with client.stream(logits=True, emit="every", binary=binary) as stream:
        check(list(stream.predict(CHUNKS, ahead=ahead)), EDGES)
        assert (stream.position, stream.read, stream.durable) == (STEPS, STEPS, STEPS)
        assert stream.end() == STEPS


def test_an_older_service_is_spoken_to_in_json(
    toy_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It chooses of the names that it knew."""
    monkeypatch.setattr(subprotocols, "FORMS", {})
    with (
        live.running(models=toy_models, model="toy") as url,
        Client(url) as own,
        own.stream(logits=True, emit="every") as stream,
    ):
        check(list(stream.predict(CHUNKS, ahead=3)), EDGES)


def test_it_says_what_it_opened(client: Client) -> None:
    with client.stream(model="toy") as stream:
        opened = stream.opened
        assert (opened.model, opened.version, opened.survives) == ("toy", 1, "connection")
        assert (opened.channels, opened.labels) == (("left", "right"), ("LEFT", "RIGHT", "LONG"))
        assert stream.id == opened.stream
        stream.send([[1, 2]])
        prediction = stream.receive(timeout=30)
        assert (prediction.label, prediction.logits, prediction.steps) == ("RIGHT", None, None)


def test_iterating_ends_with_the_stream(client: Client) -> None:
    with client.stream(logits=True, emit="every") as stream:
        for chunk in CHUNKS:
            stream.send(chunk)
        assert stream.end() == STEPS
        check(list(stream), EDGES)
        with pytest.raises(StreamClosed):
            stream.receive()
        with pytest.raises(StreamClosed, match="ended"):
            stream.send(CHUNKS[0])
        assert stream.end() == STEPS


def test_leaving_the_block_ends_the_stream(client: Client) -> None:
    with client.stream() as stream:
        stream.send(CHUNKS[0])
    with client.stream(resume=stream.id) as again:
        again.send(CHUNKS[0])
        with pytest.raises(Expired, match="ended"):
            again.receive()
        again.close()


def test_an_exception_or_close_lets_the_stream_live(client: Client) -> None:
    with pytest.raises(ZeroDivisionError), client.stream(logits=True) as stream:
        stream.send(SIGNAL[:8])
        stream.receive()
        raise ZeroDivisionError
    with client.stream(resume=stream.id, logits=True) as stream:
        assert stream.position == 8
        stream.send(SIGNAL[8:20])
        assert stream.receive().logits == tuple(TRUTH[19])
        stream.close()
        with pytest.raises(StreamClosed):
            stream.send(SIGNAL[20:])
    with client.stream(resume=stream.id, position=3) as stream:
        with pytest.raises(BadInput, match="acknowledged"):
            list(stream.predict([SIGNAL[3:4]]))
        stream.close()


def test_bad_chunks_are_refused_before_they_are_sent(client: Client) -> None:
    with client.stream() as stream:
        for chunk in ([], [[1]], [1, 2], [["a", "b"]], [[1, np.nan]], [[1, 1e39]], np.ones((0, 2))):
            with pytest.raises(BadInput):
                stream.send(chunk)
        assert stream.send([[1, 2]]) == 1
        assert stream.receive().position == 1


def test_what_the_service_refuses_fails_the_stream_there(client: Client) -> None:
    with client.stream() as stream:
        stream.send(np.ones((3, 2)))
        stream.send(np.ones((1025, 2)))
        assert stream.receive().position == 3
        for _ in range(2):
            with pytest.raises(TooLarge, match="1024"):
                stream.receive()
        stream.close()
    with client.stream(resume=stream.id) as stream:
        assert stream.position == 3


def test_a_message_over_the_limit_is_too_large(client: Client) -> None:
    with client.stream(max_buffered_steps=600_000) as stream:
        stream.send(np.ones((600_000, 2)))
        with pytest.raises(TooLarge):
            stream.receive()
        stream.close()


def test_the_buffer_is_bounded_and_says_what_to_do(client: Client) -> None:
    with client.stream(max_buffered_steps=10) as stream:
        stream.send(np.ones((6, 2)))
        with pytest.raises(BufferFull, match="read the predictions"):
            stream.send(np.ones((5, 2)))
        assert stream.send(np.ones((4, 2))) == 10
        stream.receive()
        assert stream.send(np.ones((6, 2))) == 16


def test_streams_that_are_not_there(client: Client) -> None:
    with pytest.raises(Unknown, match="open one"), client.stream(resume="made-up"):
        pass
    with pytest.raises(UnknownModel), client.stream(model="other"):
        pass
    with pytest.raises(StreamClosed, match="not open"):
        client.stream().send([[1, 2]])
    with pytest.raises(ValueError, match="resume"):
        client.stream(position=3)


def test_threads_may_share_a_client(client: Client) -> None:
    failures: list[BaseException] = []

    def talk() -> None:
        try:
            with client.stream(logits=True, emit="every") as stream:
                check(list(stream.predict(CHUNKS)), EDGES)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=talk) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not failures


def test_a_timeout_loses_no_prediction(client: Client) -> None:
    with client.stream() as stream:
        with pytest.raises(TimeoutError):
            stream.receive(timeout=0.01)
        stream.send([[1, 2]])
        assert stream.receive(timeout=30).position == 1


def test_a_closed_client_says_so(toy_url: str) -> None:
    client = Client(toy_url)
    stream = client.stream().__enter__()
    client.close()
    client.close()
    with pytest.raises(StreamClosed, match="client is closed"):
        stream.receive()


async def test_one_task_sends_and_another_receives(toy_url: str) -> None:
    async with AsyncClient(toy_url) as client, client.stream(logits=True, emit="every") as stream:

        async def send() -> None:
            for chunk in CHUNKS:
                stream.send(chunk)
                await asyncio.sleep(0)
            await stream.end()

        sending = asyncio.create_task(send())
        check([prediction async for prediction in stream], EDGES)
        await sending


async def test_what_is_not_read_can_be_had_by_a_caller_that_comes_back(toy_url: str) -> None:
    async with AsyncClient(toy_url) as client:
        async with client.stream(max_in_flight=1) as stream:
            for chunk in CHUNKS:
                stream.send(chunk)
            await stream._pump.until(lambda: len(stream._pump.predictions) == len(CHUNKS))
            await stream.receive()
            await stream.close()
        resumed = client.stream(resume=stream.id, position=stream.read, logits=True, emit="every")
        async with resumed as stream:
            assert stream.position == EDGES[1]
            check([p async for p in stream.predict(CHUNKS[1:])], EDGES[1:])


async def test_chunks_may_come_as_they_come(toy_url: str) -> None:
    async def source() -> AsyncIterator[np.ndarray]:
        for chunk in CHUNKS:
            await asyncio.sleep(0)
            yield chunk

    async with AsyncClient(toy_url) as client, client.stream(logits=True, emit="every") as stream:
        check([prediction async for prediction in stream.predict(source(), ahead=2)], EDGES)
