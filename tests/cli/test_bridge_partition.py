"""The records of a partition through real streams: answered once, in order, and settled."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest

from larnn_cli.bridge.asks import Asks
from larnn_cli.bridge.counts import Counts
from larnn_cli.bridge.description import Bridge, Payload
from larnn_cli.bridge.item import MOST_STEPS
from larnn_cli.bridge.partition import Partition
from larnn_cli.bridge.records import Place, Record, places_of
from larnn_client import AsyncClient, UnknownModel
from tests import live, wide
from tests.client.recording import SIGNAL, TRUTH

BRIDGE = Bridge(topic="in", answers="out", logits=True, payload=Payload(steps="s", sequence="n"))
CHUNK = 3


def record(offset: int, key: bytes, number: int) -> Record:
    """The message `number`, from 1, of a device that sends the recording."""
    steps = SIGNAL[(number - 1) * CHUNK : number * CHUNK]
    return Record(offset, key, json.dumps({"n": number, "s": steps.tolist()}).encode())


class Way:
    """A partition, and what it has answered."""

    def __init__(self, partition: Partition, counts: Counts) -> None:
        self.partition = partition
        self.counts = counts
        self.told: list[dict[str, Any]] = []

    async def answers(self, count: int) -> list[dict[str, Any]]:
        """Publish until so many answers have come in all."""
        while len(self.told) < count:
            ready = await asyncio.wait_for(self.partition.answers(), 60)
            self.told += [json.loads(answer.body()) for _, _, answer in ready]
            self.partition.published(ready)
        return self.told

    async def settled(self, offset: int) -> None:
        """Until everything before this offset is durable and answered."""
        async with asyncio.timeout(60):
            while self.partition.settled < offset:  # noqa: ASYNC110  # it polls the service itself
                await asyncio.sleep(0.01)


@asynccontextmanager
async def way(
    url: str,
    bridge: Bridge = BRIDGE,
    places: Mapping[bytes, Place] | None = None,
    answered: Mapping[bytes, int] | None = None,
    width: int = 2,
) -> AsyncIterator[Way]:
    counts = Counts()
    async with AsyncClient(url) as client:
        asks = Asks(client, bridge, width, counts)
        partition = Partition(asks, 0, places or {}, answered or {})
        try:
            yield Way(partition, counts)
        finally:
            await partition.close()


def check(told: list[dict[str, Any]], key: str, numbers: range) -> None:
    """These are the answers to a device's messages, as in the uninterrupted run."""
    mine = [each for each in told if each["key"] == key]
    assert [each["sequence"] for each in mine] == list(numbers)
    for each in mine:
        end = each["sequence"] * CHUNK
        assert each["position"] == end
        assert each["logits"] == TRUTH[end - 1].tolist()


async def test_each_key_is_a_stream(toy_url: str) -> None:
    async with way(toy_url) as one:
        offset = 0
        for number in range(1, 11):
            for key in (b"a", b"b"):
                one.partition.take(record(offset, key, number))
                offset += 1
        told = await one.answers(20)
        check(told, "a", range(1, 11))
        check(told, "b", range(1, 11))
        await one.settled(20)
        assert one.partition.on_their_way == 0
        assert (one.counts.messages, one.counts.answers, one.counts.steps) == (20, 20, 60)


async def test_what_holds_no_steps_is_answered_in_its_turn_and_counts_none(toy_url: str) -> None:
    too_long = {"n": 3, "s": np.ones((2000, 2)).tolist()}
    async with way(toy_url) as one:
        bad = [b"{", b'{"n": 2, "s": [[1]]}', b'{"n": 2, "s": []}', json.dumps(too_long).encode()]
        one.partition.take(record(0, b"a", 1))
        for offset, body in enumerate(bad, start=1):
            one.partition.take(Record(offset, b"a", body))
        one.partition.take(record(5, b"a", 2))
        told = await one.answers(6)
        assert [each["offset"] for each in told] == [0, 1, 2, 3, 4, 5]
        codes = [each.get("code") for each in told]
        assert codes == [None, "bad_payload", "bad_payload", "bad_payload", "too_large", None]
        assert [each["position"] for each in told] == [3, 3, 3, 3, 3, 6]
        check([told[0], told[5]], "a", range(1, 3))
        await one.settled(6)
        assert one.counts.errors == 4


async def test_a_message_that_comes_again_is_dropped(toy_url: str) -> None:
    async with way(toy_url) as one:
        for offset, number in enumerate([1, 2, 1, 2, 3]):
            one.partition.take(record(offset, b"a", number))
        check(await one.answers(3), "a", range(1, 4))
        await one.settled(5)
        assert one.counts.repeated == 2


async def test_another_bridge_goes_on_and_repeats_no_answer(toy_url: str) -> None:
    """The first had answered five records, and committed two."""
    async with way(toy_url) as first:
        for offset in range(5):
            first.partition.take(record(offset, b"a", offset + 1))
        told = await first.answers(5)
        first.partition.committed(2)
        await first.settled(5)
    before, place = places_of(json.dumps(told[1]).encode())
    assert (before.position, before.offset) == (3, 1)
    assert (place.position, place.offset, place.sequence) == (6, 2, 2)
    async with way(toy_url, places={b"a": place}, answered={b"a": 4}) as other:
        for offset in range(7):
            other.partition.take(record(offset, b"a", offset + 1))
        check(await other.answers(2), "a", range(6, 8))
        assert {each["stream"] for each in other.told} == {place.stream}
        await other.settled(7)


async def test_a_stream_that_the_service_has_forgotten_begins_anew(toy_url: str) -> None:
    place = Place("made-up", 12, 4)
    async with way(toy_url, places={b"a": place}) as one:
        one.partition.take(record(4, b"a", 1))
        check(await one.answers(1), "a", range(1, 2))
        assert one.counts.streams_lost == 1


async def test_what_no_attempt_mends_is_raised(toy_url: str) -> None:
    async with way(toy_url, BRIDGE.model_copy(update={"model": "other"})) as one:
        one.partition.take(record(0, b"a", 1))
        with pytest.raises(UnknownModel):
            await asyncio.wait_for(one.partition.failed, 60)


async def test_a_lost_stream_is_answered_again_by_the_one_that_begins_anew(toy_url: str) -> None:
    """Records 4 and 5 were answered and not settled: the new stream tells what it has taken."""
    place = Place("made-up", 12, 4)
    async with way(toy_url, places={b"a": place}, answered={b"a": 5}) as one:
        for offset, number in ((4, 1), (5, 2), (6, 3)):
            one.partition.take(record(offset, b"a", number))
        check(await one.answers(3), "a", range(1, 4))
        assert [(each["offset"], each["steps"]) for each in one.told] == [(4, 3), (5, 3), (6, 3)]


async def test_streams_take_turns_and_leave_their_places_alone(toy_url: str) -> None:
    bridge = BRIDGE.model_copy(update={"max_streams": 2})
    async with way(toy_url, bridge) as one:
        for offset in range(12):
            one.partition.take(record(offset, b"%d" % (offset % 6), 1 + offset // 6))
        for key in range(6):
            check(await one.answers(12), str(key), range(1, 3))
        await one.settled(12)
        assert one.counts.streams <= 2
        one.partition.committed(12)
        assert len(one.partition.moving) <= 2
        assert {place.position for place in one.partition.places.values()} == {2 * CHUNK}
        one.partition.take(record(12, b"0", 3))
        check(await one.answers(13), "0", range(1, 4))


async def test_a_record_of_several_predictions_has_one_answer_with_all(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.mktemp("models")
    wide.publish(root, "frame", wide.FRAME)
    frames = (np.arange(700 * wide.FRAME.width) % 1000).astype("<i2").reshape(700, -1)
    levels = wide.expected(frames * np.float32(wide.SCALE))
    bridge = Bridge(topic="a", answers="b", payload=Payload(format="binary", dtype="int16"))
    with live.running(models=root, model="frame") as url:
        async with way(url, bridge, width=wide.FRAME.width) as one:
            for offset, some in enumerate((frames[:600], frames[600:], frames[:0])):
                one.partition.take(Record(offset, b"a", some.tobytes()))
            long = np.zeros((MOST_STEPS + 1, wide.FRAME.width), "<i2")
            one.partition.take(Record(3, b"a", long.tobytes()))
            first, last, empty, refused = await one.answers(4)
    ends = [each["position"] for each in first["predictions"]]
    assert ends == [512, 600]
    for end, each in zip(ends, first["predictions"], strict=True):
        assert each["values"]["level"] == pytest.approx(levels[end - 1], rel=1e-4)
    assert first["values"] == first["predictions"][-1]["values"]
    assert (first["steps"], last["steps"], last["position"]) == (600, 100, 700)
    assert last["values"]["level"] == pytest.approx(levels[-1], rel=1e-4)
    assert "predictions" not in last
    assert (empty["code"], empty["error"]) == ("bad_payload", "a message holds at least one step")
    assert refused["code"] == "too_large"
    assert "at most 16,384 steps, not 16,385: send several" in refused["error"]
