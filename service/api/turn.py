"""Requests that come in one turn of the event loop, read together. Their clients were answered
together, so they tend to ask again together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Protocol

import msgspec

from service.api.classify import BODY, Asked
from service.api.heads import LARGEST, KnownHead, Wish
from service.backend.base import Floats, Model
from service.backend.requests import RequestReader, can_read
from service.engine.engine import Engine
from service.settings import Settings

logger = logging.getLogger(__name__)

_EMPTY = b"[]"
AT_ONCE = 64
"""Requests read by one call: so much memory is enough, however many come in a turn."""
_REST = 2**10
"""Bytes of a body beside its numbers. More is not plain, nor worth to be kept."""


class Connection(Protocol):
    """One that has sent a request like its last one."""

    waiting: bytes | None
    """The data, until it is read; more may come first."""

    @property
    def known(self) -> KnownHead: ...

    def ask(self, asked: Asked) -> None:
        """It is this that its client asks."""
        ...

    def read_alone(self) -> None:
        """It is not plainly right, or not whole."""
        ...

    def give_up(self) -> None:
        """Nobody can say what is wrong with it."""
        ...


class Turn:
    """What has come since the last one."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._most_steps = min(settings.max_sequence_steps, settings.max_request_steps)
        self.largest = min(LARGEST, settings.max_body)
        """Bytes of a body that is read here."""
        self._reader = RequestReader() if can_read() else None
        self._connections: dict[Connection, None] = {}

    def add(self, connection: Connection) -> None:
        """It is read when the turn ends, unless its `waiting` is gone by then."""
        if not self._connections:
            asyncio.get_running_loop().call_soon(self._read)
        self._connections[connection] = None

    def _read(self) -> None:
        came, self._connections = list(self._connections), {}
        for start in range(0, len(came), AT_ONCE):
            waiting = [each for each in came[start : start + AT_ONCE] if each.waiting is not None]
            for connection, asked in zip(waiting, self._together(waiting), strict=True):
                try:
                    if asked is None:
                        connection.read_alone()
                    else:
                        connection.ask(asked)
                except Exception:  # the others want to be read
                    logger.exception("a request could not be read")
                    connection.give_up()

    def _together(self, connections: list[Connection]) -> list[Asked | None]:
        """What each of them asks; None where it is not plain."""
        asked: list[Asked | None] = [None] * len(connections)
        noted = [i for i, each in enumerate(connections) if each.known.noted]
        if self._reader is None or not noted:
            return asked
        heads = [connections[i].known for i in noted]
        data = [connections[i].waiting or b"" for i in noted]
        values, found = self._reader.read(data, [head.address for head in heads])
        model_of = cache(self._model)  # no version comes or goes meanwhile
        for i, head, request, fields in zip(noted, heads, data, found, strict=True):
            asked[i] = self._asked(head, request, values, fields, model_of)
        return asked

    def _asked(
        self,
        known: KnownHead,
        data: bytes,
        values: Floats,
        found: list[int],
        model_of: Callable[[str | None, int | None, int], Model | None],
    ) -> Asked | None:
        steps, channels, first, body, before, behind = found
        if not 0 < steps <= self._most_steps or len(data) - body > self.largest:
            return None
        wish = known.wish
        if wish is None:
            rest = data[body : body + before] + _EMPTY + data[body + behind :]
            wish = _wish(rest) if len(rest) <= _REST else None
        if wish is None:
            return None
        name, version, logits = wish
        if (model := model_of(name, version, channels)) is None:
            return None
        x = values[first : first + steps * channels].reshape(steps, channels)
        return Asked(model, [x], logits)

    def _model(self, name: str | None, version: int | None, channels: int) -> Model | None:
        """That version, if it takes numbers in so many channels."""
        try:
            model = self._engine.model(name, version)
        except Exception:  # whoever reads it alone is told again
            return None
        contract = model.manifest.contract
        takes = contract.vocabulary is None and len(contract.channels) == channels
        return model if takes else None


@lru_cache(maxsize=256)
def _wish(rest: bytes) -> Wish | None:
    """Of a body without its numbers. Clients send few different ones."""
    try:
        body = BODY.decode(rest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return (body.model, body.version, body.logits) if body.texts is msgspec.UNSET else None
