"""Answers that the service keeps until the caller has them in a store of its own."""

from __future__ import annotations

import pytest

from larnn_client import BadInput, Client, Stream, Unknown
from tests.client.recording import SIGNAL

CHUNKS = [SIGNAL[first : first + 4] for first in range(0, 16, 4)]


def _sent(stream: Stream) -> list[object]:
    answers: list[object] = []
    for chunk in CHUNKS:
        stream.send(chunk)
        prediction = stream.receive()
        answers.append((prediction.position, prediction.logits))
    return answers


def test_answers_that_are_not_acknowledged_come_again(toy_url: str) -> None:
    with Client(toy_url) as client:
        stream = client.stream(logits=True)
        stream.keep_answers()
        with stream:
            first = _sent(stream)
            stream.close()
        again = client.stream(logits=True, resume=stream.id, position=0)
        again.keep_answers()
        with again:
            assert _sent(again) == first
            assert again.end() == 16


def test_those_that_are_acknowledged_do_not(toy_url: str) -> None:
    with Client(toy_url) as client:
        stream = client.stream()
        stream.keep_answers()
        with stream:
            stream.send(CHUNKS[0])
            with pytest.raises(ValueError, match="beyond the 0 steps"):
                stream.acknowledge(4)
            stream.receive()
            stream.acknowledge(4)
            stream.send(CHUNKS[1])
            stream.receive()
            stream.close()
        with client.stream(resume=stream.id, position=4) as again:
            again.send(CHUNKS[1])
            assert again.receive().position == 8
            again.close()
        with client.stream(resume=stream.id, position=0) as gone:
            gone.send(CHUNKS[0])
            with pytest.raises(BadInput, match="acknowledged and are gone"):
                gone.receive()
            gone.close()


def test_a_later_connection_keeps_what_an_earlier_one_did(toy_url: str) -> None:
    with Client(toy_url) as client:
        stream = client.stream()
        stream.keep_answers()
        with stream:
            _sent(stream)
            stream.close()
        later = client.stream(resume=stream.id, position=12)
        later.keep_answers(since=4)
        with later:
            later.send(CHUNKS[3])
            later.receive()
            later.close()
        with client.stream(resume=stream.id, position=4) as again:
            again.send(CHUNKS[1])
            assert again.receive().position == 8


def test_where_a_stream_stands(toy_url: str) -> None:
    with Client(toy_url) as client:
        with client.stream() as stream:
            stream.send(CHUNKS[0])
            stream.receive()
            where = client.where(stream.id)
            assert (where.stream, where.position, where.durable) == (stream.id, 4, 4)
        with pytest.raises(Unknown):
            client.where("nothing")
