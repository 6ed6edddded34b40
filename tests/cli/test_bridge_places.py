"""Where each key of a partition of Kafka stands, as its answers tell."""

from __future__ import annotations

from typing import Any

from larnn_cli.bridge.kafka_places import Places, pack, unpack
from larnn_cli.bridge.records import Answer, Place, Record

KEY = b"k"
STEPS = 10


def told(stream: str, record: int, position: int) -> bytes:
    """The answer to a record of ten steps, which end at this position."""
    place = Place(stream, position, record + 1, record)
    return Answer(Record(record, KEY, b""), place, {"label": "x"}, STEPS).body()


def found(answers: list[bytes], committed: int, **known: Any) -> Places:
    places = Places(**known)
    for offset, body in enumerate(answers):
        places.take(offset, KEY, body, committed)
    return places


def test_a_key_stands_behind_its_last_committed_record() -> None:
    answers = [told("A", record, 10 * (record + 1)) for record in range(6)]
    places = found(answers, 4)
    assert places.places == {KEY: Place("A", 40, 4, 3)}
    assert places.answered == {KEY: 5}
    assert places.answers == [(4, 4), (5, 5)]
    assert found(answers, 0).places == {KEY: Place("A", 0, 0)}, "its stream, from the beginning"


def test_a_snapshot_is_read_as_it_was_written_and_answers_go_on_from_it() -> None:
    snapshot = {KEY: Place("A", 100, 10), b"\xff": Place(None, 0, 7, 3)}
    assert unpack(pack(snapshot, 5)) == (snapshot, 5)
    places = found(
        [told("A", record, 10 * record + 10) for record in (9, 10, 11)], 11, places=snapshot
    )
    assert places.places == snapshot | {KEY: Place("A", 110, 11, 10)}


def test_a_stream_that_was_lost_is_followed_by_the_one_that_began_anew() -> None:
    """A had answered 10 to 15; the key then stood at 12, and B began there."""
    snapshot = {KEY: Place("A", 100, 10)}
    lost = [told("A", record, 10 * record + 10) for record in range(10, 16)]
    anew = [told("B", record, 10 * (record - 11)) for record in range(12, 18)]
    places = found(lost + anew, 14, places=snapshot)
    assert places.places == {KEY: Place("B", 20, 14, 13)}
    assert places.answered == {KEY: 17}
    begun = found(lost + anew[:1], 12, places=snapshot)
    assert begun.places == {KEY: Place("B", 0, 12, 11)}, "records before it are not run again"
    assert begun.answered == {KEY: 12}, "what A alone has answered is told again"
