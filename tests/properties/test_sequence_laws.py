"""The laws of a sequence that its client names: at any replica, sent any number of times."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from larnn_service.engine.engine import Engine
from larnn_service.engine.streams.places import Places
from larnn_service.engine.streams.registry import Streams
from larnn_service.engine.streams.sequences import Part, Sequences
from larnn_service.errors import BadValue, Conflict, Expired, Gap, ServiceError, UnknownStream
from larnn_service.interfaces import Floats, Model
from larnn_service.settings import Settings
from larnn_service.stream_ids import StreamIds
from tests.engine.bench import MANIFEST, Sums
from tests.properties.test_replica_laws import SIGNAL, STEPS, TRUTH
from tests.properties.test_stream_laws import cuts
from tests.served import served
from tests.versions import SharedStore

T = TypeVar("T")


def at_replicas(work: Callable[[list[Sequences]], Awaitable[T]]) -> T:
    """Run `work` with two replicas on one store, in a loop of its own."""

    async def run() -> T:
        store = SharedStore()
        engines = []
        for _ in range(2):
            models = served(Model(MANIFEST, Sums()))
            ids = StreamIds("of all")
            streams = Streams(store, ids, models, Places(100), idle_timeout=1e6)
            engines.append(Engine(models, streams, Settings(model="toy", concurrency=1)))
        try:
            return await work([Sequences(engine) for engine in engines])
        finally:
            for engine in engines:
                engine.close()

    return asyncio.run(run())


def part(start: int, end: int, offset: int | None = None, name: int | str = 7) -> Part:
    """Steps of the signal; the first of them start the sequence, the last end it."""

    async def steps(*_: object) -> Floats:
        return SIGNAL[start:end]

    return Part(name, steps, starts=start == 0, ends=end == STEPS, offset=offset)


async def logits(sequences: Sequences, asked: Part, owner: str = "") -> Floats:
    _, advanced = await sequences.advance("toy", None, asked, owner)
    return advanced.outputs


@settings(max_examples=50)
@given(cut=cuts, tries=st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=3), min_size=13))
def test_sent_again_with_its_offset_it_is_answered_the_same(
    cut: list[int], tries: list[list[int]]
) -> None:
    """Each request goes to replicas by chance, one to three times: as one run without retries."""

    async def work(replicas: list[Sequences]) -> None:
        edges = [0, *cut, STEPS]
        for start, end, places in zip(edges[:-1], edges[1:], tries, strict=False):
            for place in places:
                answer = await logits(replicas[place], part(start, end, offset=start))
                np.testing.assert_array_equal(answer, TRUTH[start:end])

    at_replicas(work)


@settings(max_examples=25)
@given(cuts_of=st.lists(cuts, min_size=2, max_size=4))
def test_requests_of_several_sequences_sent_at_once_keep_their_order(
    cuts_of: list[list[int]],
) -> None:
    async def work(replicas: list[Sequences]) -> None:
        asked = [
            (name, start, end)
            for name, cut in enumerate(cuts_of, start=1)
            for start, end in zip([0, *cut], [*cut, STEPS], strict=True)
        ]
        answers: list[NDArray[np.float32]] = await asyncio.gather(
            *(logits(replicas[0], part(start, end, name=name)) for name, start, end in asked)
        )
        for (_, start, end), answer in zip(asked, answers, strict=True):
            np.testing.assert_array_equal(answer, TRUTH[start:end])

    at_replicas(work)


def test_a_name_is_free_again_after_its_end() -> None:
    async def work(replicas: list[Sequences]) -> None:
        for place in (0, 1, 1, 0):
            answer = await logits(replicas[place], part(0, STEPS))
            np.testing.assert_array_equal(answer, TRUTH)

    at_replicas(work)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (part(0, 10), Conflict),  # no offset: it is not known to be the same request
        (part(0, 9, offset=0), Conflict),
        (part(0, 10, offset=5), BadValue),
        (part(12, 20, offset=12), Gap),
        (part(10, 20, name="7"), UnknownStream),
    ],
)
def test_what_does_not_fit_a_living_sequence_is_refused(
    asked: Part, error: type[ServiceError]
) -> None:
    async def work(replicas: list[Sequences]) -> None:
        await logits(replicas[0], part(0, 10))
        with pytest.raises(error):
            await logits(replicas[1], asked)
        np.testing.assert_array_equal(await logits(replicas[1], part(10, 20)), TRUTH[10:20])

    at_replicas(work)


def test_what_follows_the_end_is_refused() -> None:
    async def work(replicas: list[Sequences]) -> None:
        await logits(replicas[0], part(0, STEPS))
        for asked in (part(10, 20), part(10, 20, offset=STEPS), part(STEPS - 1, STEPS + 9)):
            with pytest.raises(Expired):
                await logits(replicas[0], asked)

    at_replicas(work)


def test_owners_have_names_of_their_own() -> None:
    async def work(replicas: list[Sequences]) -> None:
        await logits(replicas[0], part(0, 10), owner="phone")
        with pytest.raises(UnknownStream):
            await logits(replicas[0], part(10, 20), owner="tablet")
        await logits(replicas[0], part(0, 5), owner="tablet")
        answer = await logits(replicas[0], part(10, 20), owner="phone")
        np.testing.assert_array_equal(answer, TRUTH[10:20])

    at_replicas(work)


def test_a_sequence_stays_on_its_version() -> None:
    async def work(replicas: list[Sequences]) -> None:
        await replicas[0].advance("toy", 1, part(0, 10), "")
        with pytest.raises(Conflict, match="runs on version 1"):
            await replicas[0].advance("toy", 2, part(10, 20), "")

    at_replicas(work)


def test_steps_that_are_refused_start_nothing() -> None:
    async def work(replicas: list[Sequences]) -> None:
        async def refuse(*_: object) -> Floats:
            raise BadValue("not finite")

        with pytest.raises(BadValue):
            await logits(replicas[0], Part(7, refuse, starts=True))
        with pytest.raises(UnknownStream):
            await logits(replicas[0], part(10, 20))

    at_replicas(work)
