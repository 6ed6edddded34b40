"""Client and Stream: the same without async, over a thread that runs AsyncClient."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType, TracebackType
from typing import Any, TypeVar

from numpy.typing import ArrayLike

from larnn_client.aio import AsyncClient
from larnn_client.answers import Classification, Prediction
from larnn_client.errors import StreamClosed
from larnn_client.frames import one_or_several, portions
from larnn_client.inputs import Measured
from larnn_client.messages import Binary, Models, Opened
from larnn_client.reading import Emit
from larnn_client.stream import AsyncStream

T = TypeVar("T")


class _Loop:
    """An event loop in a thread of its own."""

    def __init__(self) -> None:
        self._running = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._main(),), daemon=True)
        self._thread.start()
        self._running.wait()

    async def _main(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._running.set()
        await self._stop.wait()

    def run(self, work: Coroutine[Any, Any, T], timeout: float | None = None) -> T:
        """Its result. Raises TimeoutError after `timeout` seconds; the work is then cancelled."""
        if not self._thread.is_alive():
            work.close()
            raise StreamClosed("the client is closed")
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(work, timeout), self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Run the last work, cancel what is left, and stop. Again, it does nothing."""
        if not self._thread.is_alive():
            return last.close()
        self.run(last)
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()


class Client:
    """A service at one address or several; a context manager. Threads may share it."""

    def __init__(
        self,
        *addresses: str,
        key: str | None = None,
        tls: ssl.SSLContext | None = None,
        retry_for: float = 60.0,
        connect_timeout: float = 10.0,
        answer_timeout: float = 60.0,
        keepalive: float = 20.0,
    ) -> None:
        """As AsyncClient's."""
        self._client = AsyncClient(
            *addresses,
            key=key,
            tls=tls,
            retry_for=retry_for,
            connect_timeout=connect_timeout,
            answer_timeout=answer_timeout,
            keepalive=keepalive,
        )
        self._loop = _Loop()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections and stop the thread. End or close the streams before."""
        self._loop.close(self._client.close())

    def classify(
        self,
        sequences: ArrayLike | Sequence[ArrayLike],
        *,
        model: str | None = None,
        logits: bool = False,
        outputs: Sequence[str] = (),
        context: Mapping[str, ArrayLike] = MappingProxyType({}),
        measured: Measured | None = None,
    ) -> Classification:
        """As AsyncClient.classify."""
        return self._loop.run(
            self._client.classify(
                sequences,
                model=model,
                logits=logits,
                outputs=outputs,
                context=context,
                measured=measured,
            )
        )

    def models(self) -> Models:
        """As AsyncClient.models."""
        return self._loop.run(self._client.models())

    def where(self, stream: str) -> Opened:
        """As AsyncClient.where."""
        return self._loop.run(self._client.where(stream))

    def stream(
        self,
        *,
        model: str | None = None,
        resume: str | None = None,
        position: int | None = None,
        logits: bool = False,
        emit: Emit = "last",
        outputs: Sequence[str] = (),
        context: Mapping[str, ArrayLike] = MappingProxyType({}),
        measured: Measured | None = None,
        binary: Binary = True,
        max_in_flight: int = 16,
        max_buffered_steps: int = 16_384,
    ) -> Stream:
        """As AsyncClient.stream; enter it with `with`."""
        stream = self._client.stream(
            model=model,
            resume=resume,
            position=position,
            logits=logits,
            emit=emit,
            outputs=outputs,
            context=context,
            measured=measured,
            binary=binary,
            max_in_flight=max_in_flight,
            max_buffered_steps=max_buffered_steps,
        )
        return Stream(stream, self._loop)


class Stream:
    """AsyncStream without async: see there."""

    def __init__(self, stream: AsyncStream, loop: _Loop) -> None:
        self._stream = stream
        self._loop = loop

    def __enter__(self) -> Stream:
        self._loop.run(self._stream.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.run(self._stream.__aexit__(kind, error, traceback))

    @property
    def opened(self) -> Opened:
        """What the service said of the stream when this client last connected to it."""
        return self._stream.opened

    @property
    def id(self) -> str:
        """Whoever has it, and the key that opened it, can resume the stream."""
        return self._stream.id

    @property
    def position(self) -> int:
        """Steps sent, over the stream's whole life."""
        return self._stream.position

    @property
    def read(self) -> int:
        """Steps whose predictions `receive` has given: `position` for who resumes the stream."""
        return self._stream.read

    @property
    def durable(self) -> int:
        """Steps that the service's store holds, as far as this client was told."""
        return self._stream.durable

    @property
    def unread(self) -> int:
        """Chunks whose predictions `receive` has not given yet."""
        return self._stream.unread

    def send(self, steps: ArrayLike) -> int:
        """As AsyncStream.send."""

        async def send() -> int:
            return self._stream.send(steps)

        return self._loop.run(send())

    @property
    def left(self) -> int:
        """Samples that were sent and fill no frame yet; 0 where steps are no frames."""
        return self._stream.left

    def finish(self) -> int:
        """As AsyncStream.finish."""

        async def finish() -> int:
            return self._stream.finish()

        return self._loop.run(finish())

    def receive(self, timeout: float | None = None) -> Prediction:
        """The next prediction. Raises TimeoutError, and StreamClosed after the last one."""
        return self._loop.run(self._stream.receive(), timeout)

    def keep_answers(self, since: int = 0) -> None:
        """As AsyncStream.keep_answers."""
        self._stream.keep_answers(since)

    def acknowledge(self, position: int) -> None:
        """As AsyncStream.acknowledge."""

        async def acknowledge() -> None:
            self._stream.acknowledge(position)

        self._loop.run(acknowledge())

    def __iter__(self) -> Iterator[Prediction]:
        """Predictions until the stream is ended."""
        while True:
            try:
                prediction = self.receive()
            except StreamClosed:
                return
            yield prediction

    def predict(self, chunks: Iterable[ArrayLike], *, ahead: int = 1) -> Iterator[Prediction]:
        """As AsyncStream.predict."""
        for chunk in one_or_several(chunks):
            for portion in portions(chunk, self.opened.input):
                self.send(portion)
                while self.unread >= ahead:
                    yield self.receive()
        while self.unread:
            yield self.receive()

    def end(self) -> int:
        """End the stream once all is answered; its last position."""
        return self._loop.run(self._stream.end())

    def close(self) -> None:
        """Drop the connection and let the stream live: resume it by its id."""
        self._loop.run(self._stream.close())
