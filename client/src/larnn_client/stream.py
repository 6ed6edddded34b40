"""A stream: chunks in, predictions out in order and exactly once, over as many connections as
it takes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike

from larnn_client.answers import Prediction
from larnn_client.arrays import chunk_array, sample_array
from larnn_client.errors import StreamClosed
from larnn_client.frames import Frames, most_steps, one_or_several, portions
from larnn_client.journal import Journal
from larnn_client.messages import Opened
from larnn_client.pump import Pump


class AsyncStream:
    """Made by `AsyncClient.stream`. An async context manager: leaving it ends the stream, or,
    where an exception leaves it, drops the connection and lets the stream live.

    A task of its own holds the connection. Where that fails for good, its error is raised by every
    call, after the predictions that had come.
    """

    def __init__(self, pump: Pump) -> None:
        self._pump = pump
        self._task: asyncio.Task[None] | None = None
        self._held: Frames | None = None
        """Of a model whose steps are frames."""

    async def __aenter__(self) -> AsyncStream:
        """Opens or resumes the stream. Raises StreamClosed the second time."""
        if self._task is not None:
            raise StreamClosed("a stream is entered once; make another one, with `resume=ID`")
        self._task = asyncio.create_task(self._pump.run())
        try:
            await self._pump.until(lambda: self._pump.opened is not None)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if kind is None and not self._pump.closed:
                await self.end()
        finally:
            await self.close()

    @property
    def opened(self) -> Opened:
        """What the service said of the stream when this client last connected to it."""
        if self._pump.opened is None:
            raise StreamClosed("the stream is not open; enter it with `async with`")
        return self._pump.opened

    @property
    def id(self) -> str:
        """Whoever has it, and the key that opened it, can resume the stream."""
        return self.opened.stream

    @property
    def position(self) -> int:
        """Steps sent, over the stream's whole life."""
        return self._journal.end

    @property
    def read(self) -> int:
        """Steps whose predictions `receive` has given: `position` for who resumes the stream."""
        return self._journal.read

    @property
    def durable(self) -> int:
        """Steps that the service's store holds, as far as this client was told."""
        return self._journal.durable

    @property
    def unread(self) -> int:
        """Chunks whose predictions `receive` has not given yet."""
        return self._pump.unread

    @property
    def left(self) -> int:
        """Samples that were sent and fill no frame yet; 0 where steps are no frames."""
        return self._frames.left

    def send(self, steps: ArrayLike) -> int:
        """Take the next steps [steps, width] to be sent; their end in the stream.

        Of a model whose steps are frames these may be samples, any number of them: whole frames go,
        in messages of no more than the service takes, and what is left waits for the next.

        Waits for nothing. Raises BadInput, BufferFull, StreamClosed, and what ended the stream.
        """
        step, int16 = self.opened.input, self._pump.binary == "int16"
        if step.frame is None:
            chunk = chunk_array(steps, step, int16=int16)
            self._check_open()
            return self._pump.send(chunk)
        chunk, left = self._frames.cut(sample_array(steps, step, int16=int16))
        self._check_open()
        if len(chunk):
            self._pump.send(chunk, most_steps(step))
        self._frames.keep(left)
        return self.position

    def finish(self) -> int:
        """Fill the frame that is begun with zeros, and send it; how many zeros, 0 where none is.

        `end` does not do it: what fills no frame was never heard. Raises as `send` does.
        """
        missing = self._frames.padding()
        if missing:
            samples = np.int16 if self._pump.binary == "int16" else np.float32
            self.send(np.zeros(missing, samples))
        return missing

    def _check_open(self) -> None:
        self._pump.check()
        if self._pump.ending:
            raise StreamClosed("the stream is ended; open a new one, or resume it")

    @property
    def _frames(self) -> Frames:
        if self._held is None:
            self._held = Frames(self.opened.input.width)
        return self._held

    async def receive(self) -> Prediction:
        """The next prediction, one for each chunk. Raises StreamClosed after the last one."""
        await self._pump.until(lambda: bool(self._pump.predictions))
        return self._pump.take()

    def keep_answers(self, since: int = 0) -> None:
        """Before the stream is entered: the service shall keep the answers behind position `since`
        until `acknowledge`, and not until they are read. For who puts answers into a store of its
        own, and may die before it has."""
        self._pump.keeps_since = since

    def acknowledge(self, position: int) -> None:
        """The caller has the answers up to `position` in its own store: the service need keep them
        no longer. Raises ValueError for a position beyond `read`."""
        if position > self.read:
            raise ValueError(f"{position} is beyond the {self.read} steps whose answers were given")
        self._journal.acknowledged = max(self._journal.acknowledged, position)

    async def __aiter__(self) -> AsyncIterator[Prediction]:
        """Predictions until the stream is ended."""
        with contextlib.suppress(StreamClosed):
            while True:
                yield await self.receive()

    async def predict(
        self, chunks: Iterable[ArrayLike] | AsyncIterable[ArrayLike], *, ahead: int = 1
    ) -> AsyncIterator[Prediction]:
        """One prediction for each chunk; at most `ahead` chunks are sent before their answers.

        Of a model whose steps are frames, chunks are samples in any portions, or all of them at
        once: a prediction comes whenever frames are full. What is left waits for the next call, or
        for `finish`.
        """
        source = chunks if isinstance(chunks, AsyncIterable) else _asynchronous(chunks)
        async for chunk in source:
            for portion in portions(chunk, self.opened.input):
                self.send(portion)
                while self.unread >= ahead:
                    yield await self.receive()
        while self.unread:
            yield await self.receive()

    async def end(self) -> int:
        """End the stream once all is answered; its last position. The service forgets its state."""
        self._pump.end()
        await self._pump.until(lambda: self._pump.ended is not None)
        assert self._pump.ended is not None
        return self._pump.ended

    async def close(self) -> None:
        """Drop the connection and let the stream live: resume it by its id."""
        self._pump.close()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    @property
    def _journal(self) -> Journal:
        if self._pump.journal is None:
            raise StreamClosed("the stream is not open; enter it with `async with`")
        return self._pump.journal


async def _asynchronous(chunks: Iterable[ArrayLike]) -> AsyncIterator[ArrayLike]:
    for chunk in one_or_several(chunks):
        yield chunk
