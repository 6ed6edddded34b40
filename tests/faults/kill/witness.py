"""A client that holds a live stream through everything, and what came of each of its steps."""

from __future__ import annotations

import asyncio
import re
import time
from bisect import bisect_left
from dataclasses import dataclass, field

import numpy as np

from larnn_client import AsyncClient, AsyncStream, LarnnError, Opened, StateLost
from tests.faults.recordings import Floats

CLOSE = 1e-5


@dataclass
class Witness:
    """Sends `signal` [steps, channels] at its own speed, until told to stop or at its end."""

    signal: Floats
    chunk: int
    hz: float
    sent: list[int] = field(default_factory=list)
    """The end of each chunk."""
    told: list[int] = field(default_factory=list)
    """The position of each prediction."""
    heard: list[float] = field(default_factory=list)
    """When it came."""
    connections: list[int] = field(default_factory=list)
    """On which connection, counted from 0."""
    logits: list[Floats] = field(default_factory=list)
    survives: set[str] = field(default_factory=set)
    """What each `opened` promised that the stream outlives."""
    ended: int = 0
    told_lost: str | None = None
    """The words in which the client was told that the store has lost what was durable."""
    failure: str | None = None
    """Why the stream did not come to its end."""

    async def run(self, client: AsyncClient, first: float, stop: asyncio.Event) -> None:
        """From `first` on, a moment of perf_counter()."""
        try:
            async with client.stream(
                logits=True, emit="every", max_buffered_steps=len(self.signal)
            ) as stream:
                listening = asyncio.create_task(self._listen(stream))
                try:
                    await self._speak(stream, first, stop)
                finally:
                    await asyncio.wait({listening}, timeout=5)
                    listening.cancel()
                    await asyncio.gather(listening, return_exceptions=True)
                listening.result()
        except StateLost as error:
            self.told_lost = str(error)
        except LarnnError as error:
            self.failure = f"{type(error).__name__}: {error}"

    async def _speak(self, stream: AsyncStream, first: float, stop: asyncio.Event) -> None:
        for start in range(0, len(self.signal), self.chunk):
            await asyncio.sleep(first + start / self.hz - time.perf_counter())
            if stop.is_set():
                break
            self.sent.append(stream.send(self.signal[start : start + self.chunk]))
        self.ended = await stream.end()

    async def _listen(self, stream: AsyncStream) -> None:
        opened: Opened | None = None
        connection = -1
        async for prediction in stream:
            if stream.opened is not opened:
                opened, connection = stream.opened, connection + 1
                self.survives.add(opened.survives)
            self.heard.append(time.perf_counter())
            self.connections.append(connection)
            self.told.append(prediction.position)
            assert prediction.steps is not None
            steps = [step.logits for step in prediction.steps]
            self.logits.append(np.array(steps, dtype=np.float32))

    def next_answer(self, moment: float) -> tuple[float, bool] | None:
        """Seconds from then to the next answer, and whether it came on a new connection."""
        index = bisect_left(self.heard, moment)
        if not 0 < index < len(self.heard):
            return None
        resumed = self.connections[index] > self.connections[index - 1]
        return self.heard[index] - moment, resumed


@dataclass(frozen=True)
class Verdict:
    """What must be zero, over all streams, and how far logits were apart."""

    steps: int
    answers: int
    lost: int
    """Steps sent and not answered, or not counted at the end, of streams that were told nothing."""
    twice: int
    """Steps answered again, or counted again at the end."""
    out_of_order: int
    different: int
    """Steps with other logits than in the uninterrupted run."""
    apart: float
    """The greatest difference, in units of max(1, |logit|)."""
    told_lost: int
    """Streams whose client was told in words that the store has lost what was durable."""
    words: list[str]
    """Those words, each once."""
    failures: list[str]

    def holds(self, lossy: bool = False) -> bool:
        """Whether nothing went wrong; `lossy`: the store may lose steps, and tells."""
        faults = self.lost + self.twice + self.out_of_order + self.different
        return faults == 0 and not self.failures and (lossy or not self.told_lost)


def verdict(witnesses: list[Witness], truth: list[Floats]) -> Verdict:
    """`truth`: the logits [steps, classes] of each one's uninterrupted run."""
    lost = twice = out_of_order = different = 0
    apart = 0.0
    for witness, right in zip(witnesses, truth, strict=True):
        sent = witness.sent[-1] if witness.sent else 0
        size = dict(zip(witness.sent, np.diff([0, *witness.sent]).tolist(), strict=True))
        counts = {end: witness.told.count(end) for end in set(witness.told)}
        if witness.told_lost is None:
            lost += sum(size[end] for end in size if end not in counts)
            lost += max(sent - witness.ended, 0)
        twice += sum(size.get(end, 1) * (count - 1) for end, count in counts.items())
        twice += max(witness.ended - sent, 0)
        out_of_order += int((np.diff([0, *witness.told]) <= 0).sum())
        for end, logits in zip(witness.told, witness.logits, strict=True):
            expected = right[end - len(logits) : end]
            error = np.abs(logits - expected) / np.maximum(1, np.abs(expected))
            different += int((error > CLOSE).any(axis=1).sum())
            apart = max(apart, float(error.max()))
    return Verdict(
        steps=sum(witness.sent[-1] for witness in witnesses if witness.sent),
        answers=sum(len(witness.told) for witness in witnesses),
        lost=lost,
        twice=twice,
        out_of_order=out_of_order,
        different=different,
        apart=apart,
        told_lost=sum(witness.told_lost is not None for witness in witnesses),
        words=sorted({re.sub(r"\d+", "N", w.told_lost) for w in witnesses if w.told_lost}),
        failures=[witness.failure for witness in witnesses if witness.failure],
    )
