"""Sequences: streams that their clients name, and of which each request says start, end or neither.

The name is the stream's key in the store, so a sequence goes on at any replica that shares it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from weakref import WeakValueDictionary

from larnn_service.chunk import Chunk
from larnn_service.conversion.conversion import Conversion
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.registry import key
from larnn_service.engine.streams.advance import Advanced
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import BadValue, Conflict, Expired, UnknownStream, quoted
from larnn_service.interfaces import Floats, Model, RowState
from larnn_service.tasks import finished, result_of
from larnn_service.telemetry.calls import concerns


@dataclass(frozen=True)
class Part:
    """The next steps of a sequence."""

    name: int | str
    """The client's; 5 and "5" are two sequences."""
    steps: Callable[[Model, Conversion | None], Awaitable[Floats]]
    """[steps, channels], as this model takes them; raises where it does not."""
    starts: bool = False
    ends: bool = False
    offset: int | None = None
    """Steps sent before. Without it a part goes on where the sequence is, also when sent again."""
    acked: int | None = None
    start: Callable[[Model], Awaitable[RowState | None]] | None = None
    """The state before the first step where the client gave context; raises where it may not."""
    conversion: Callable[[Model], Conversion | None] = lambda model: None
    """What makes the client's numbers the model's; raises where that cannot be."""


class Sequences:
    """The sequences of one replica's clients; each owner has names of their own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def advance(
        self, model: str, version: int | None, part: Part, owner: str
    ) -> tuple[Model, Advanced]:
        """Consume the part and answer for all of it, when it is stored. In order of arrival.

        Raises Conflict where a living sequence is started again or runs on another version than the
        one asked for, UnknownStream where it was not started, else as `Engine.advance`.
        """
        name = f"sequence\n{owner}\n{model}\n{part.name!r}"
        async with self._turns.setdefault(name, asyncio.Lock()):
            if part.starts:
                starting = self._engine.model(model, version)
                wanted = part.conversion(starting)
                steps = await part.steps(starting, wanted)
                stream = await self._start(starting, name, part, len(steps), wanted, owner)
            else:
                stream = await self._find(name, part, owner)
                steps = await _steps(part, stream)
            if version not in (None, stream.checkpoint.version):
                raise Conflict(
                    f"sequence {quoted(part.name)!r} runs on version {stream.checkpoint.version}; "
                    "ask for that one, or for none"
                )
            offset = stream.checkpoint.position if part.offset is None else part.offset
            chunk = Chunk(offset, steps, part.acked)
            concerns(*key(stream.model), stream.id)
            begin = partial(self._engine.advance, stream, chunk, settled=True, ends=part.ends)
            # the next part goes on where this one ends, whether or not its client is still there
            return stream.model, await finished(result_of(begin))

    async def _start(
        self, model: Model, key: str, part: Part, steps: int, wanted: Conversion | None, owner: str
    ) -> Stream:
        """A stream before its first step, or the one that the same request has started."""
        if part.offset not in (None, 0):
            raise BadValue(f"offset {part.offset}: a sequence starts at 0")
        state = None if part.start is None else await part.start(model)
        begin = partial(self._engine.open, model, key, owner, state, wanted)
        try:
            stream = await begin()
        except Conflict:
            stream = await self._find(key, part, owner)
            if not stream.checkpoint.ended:
                raise
        if stream.checkpoint.ended:  # the name is free again, whatever it was opened with
            await self._engine.streams.remove(stream.id)
            stream = await begin()
        repeated = part.offset == 0 and stream.checkpoint.position <= steps
        if stream.checkpoint.position and not repeated:
            raise Conflict(
                f"sequence {quoted(part.name)!r} has begun and is at "
                f"{stream.checkpoint.position}: go on without sequence_start, end it, "
                "or take another sequence_id"
            )
        return stream

    async def _find(self, key: str, part: Part, owner: str) -> Stream:
        stream_id = await self._engine.streams.store.named(key)
        if stream_id is None:
            raise UnknownStream(
                f"sequence {quoted(part.name)!r} has not begun here or was idle for too long: send "
                "sequence_start with its first request"
            )
        return await self._engine.resume(stream_id, owner)


async def _steps(part: Part, stream: Stream) -> Floats:
    """The part's steps; of a sequence that has ended it is said so, rather than how it began."""
    try:
        return await part.steps(stream.model, stream.conversion)
    except Conflict:
        if stream.checkpoint.ended:
            raise Expired(
                f"sequence {quoted(part.name)!r} has ended: send sequence_start to begin it anew"
            ) from None
        raise
