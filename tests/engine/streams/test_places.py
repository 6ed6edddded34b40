"""How many streams may be in memory, and what they keep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from msgspec.structs import replace

from larnn_service.admission.keys import new_key
from larnn_service.engine.streams.checkpoint import beginning
from larnn_service.engine.streams.places import FREE, Places
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import Backpressure, Full
from tests import live
from tests.engine.replicas import MODELS

MODEL = MODELS["toy"]
STEP = 12
"""Bytes of a step's answer."""


def stream(name: str, kept: int = 0, owner: str = "") -> Stream:
    checkpoint = replace(beginning(MODEL, name), outputs=np.zeros((kept, 3), np.float32))
    return Stream(MODEL, checkpoint, owner=owner)


def test_answers_are_counted_as_streams_come_move_and_go() -> None:
    places, one = Places(10), stream("one", kept=5)
    places.add(one)
    places.add(stream("two", kept=7))
    assert places.kept_bytes == 12 * STEP
    one.checkpoint = stream("one", kept=1).checkpoint
    places.note(one)
    assert places.kept_bytes == 8 * STEP
    for gone in list(places):
        places.remove(gone)
        places.remove(gone)
        places.note(gone)
    assert places.kept_bytes == 0


def test_no_stream_keeps_more_than_there_is_room_for_but_for_a_little() -> None:
    places = Places(10, max_kept_bytes=2 * FREE)
    places.add(stream("one", kept=2 * FREE // STEP))
    places.check_kept(FREE)
    with pytest.raises(Backpressure, match="acked"):
        places.check_kept(FREE + STEP)


def test_one_owner_s_answers_leave_room_for_another_s() -> None:
    places = Places(10, max_kept_bytes=10 * FREE, max_kept_of_owner=2 * FREE)
    one, two = stream("a", 2 * FREE // STEP, "one"), stream("b", 2, "two")
    places.add(one)
    places.add(two)
    with pytest.raises(Backpressure, match="this key's streams"):
        places.check_kept(FREE + STEP, owner="one")
    places.check_kept(one.kept_bytes - STEP, one.kept_bytes, "one")
    places.check_kept(FREE, owner="one")
    places.check_kept(2 * FREE - 2 * STEP, owner="two")
    places.remove(one)
    places.check_kept(2 * FREE, owner="one")


def test_an_owner_has_a_share_and_anyone_s_streams_none() -> None:
    places = Places(10, max_of_owner=2)
    for name, owner in (("a", "one"), ("b", "one"), ("c", "two"), ("d", ""), ("e", ""), ("f", "")):
        with places.room(owner, None):
            places.add(stream(name, owner=owner))
    with pytest.raises(Full, match="its share"), places.room("one", None):
        raise AssertionError
    with places.room("two", None), places.room("", None):
        pass
    places.remove(next(iter(places)))
    with places.room("one", None):
        pass


@pytest.fixture
def keys() -> Iterator[tuple[str, tuple[str, str]]]:
    (one, first), (two, second) = new_key("one"), new_key("two")
    yield f"{first},{second}", (one, two)


def test_a_key_s_streams_leave_room_for_those_of_another(
    toy_models: Path, keys: tuple[str, tuple[str, str]]
) -> None:
    entries, (one, two) = keys
    with live.running(models=toy_models, model="toy", max_streams=4, api_keys=entries) as url:
        opened = [
            httpx.post(f"{url}/streams", headers={"Authorization": f"Bearer {key}"}, timeout=60)
            for key in (one, one, one, two, two, two)
        ]
        assert [answer.status_code for answer in opened] == [201, 201, 503, 201, 201, 503]
        forked = httpx.post(
            f"{url}/streams/{opened[0].json()['stream']}/fork",
            headers={"Authorization": f"Bearer {one}"},
            timeout=60,
        )
        assert (forked.status_code, forked.json()["code"]) == (503, "full")


def test_answers_that_nobody_acknowledges_are_bounded_together(toy_models: Path) -> None:
    steps = [[1, 2]] * 500
    with live.running(models=toy_models, model="toy", max_kept_bytes=3 * 500 * STEP) as url:
        streams = [httpx.post(f"{url}/streams", json={}, timeout=60).json() for _ in range(3)]
        answers = []
        for offset in (0, 500):
            for one in streams:
                body = {"offset": offset, "steps": steps, "acked": 0}
                address = f"{url}/streams/{one['stream']}/steps"
                answers.append(httpx.post(address, json=body, timeout=60))
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429, 429]
        assert answers[-1].json()["code"] == "backpressure"
        body = {"offset": 500, "steps": steps, "acked": 500}
        address = f"{url}/streams/{streams[0]['stream']}/steps"
        assert httpx.post(address, json=body, timeout=60).is_success
