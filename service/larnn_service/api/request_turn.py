"""Requests of one turn of the event loop, sent like the last ones of their connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from typing import Protocol

import msgspec

from larnn_service.api.heads import LARGEST, KnownHead, Wish
from larnn_service.api.turn import Connection, Turn
from larnn_service.backend.requests import RequestReader, can_read
from larnn_service.endpoints.classify import BODY, Asked
from larnn_service.engine.engine import Engine
from larnn_service.interfaces import Floats, Model
from larnn_service.settings import Settings

_EMPTY = b"[]"
_REST = 2**10
"""Bytes of a body beside its numbers. More is not plain, nor worth to be kept."""

ModelOf = Callable[[str | None, int | None, int], Model | None]


class KeptConnection(Connection[Asked], Protocol):
    """One that has sent a request like its last one."""

    @property
    def known(self) -> KnownHead: ...


class RequestTurn(Turn[KeptConnection, Asked]):
    """Of all kept connections."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        super().__init__(self._asked_together)
        self._engine = engine
        self._most_steps = min(settings.max_sequence_steps, settings.max_request_steps)
        self.largest = min(LARGEST, settings.max_body)
        """Bytes of a body that is read here."""
        self._reader = RequestReader() if can_read() else None

    def _asked_together(
        self, connections: list[KeptConnection], data: list[bytes]
    ) -> Sequence[Asked | None]:
        asked: list[Asked | None] = [None] * len(connections)
        noted = [i for i, each in enumerate(connections) if each.known.noted]
        if self._reader is None or not noted:
            return asked
        heads = [connections[i].known for i in noted]
        requests = [data[i] for i in noted]
        values, found = self._reader.read(requests, [head.address for head in heads])
        model_of = cache(self._model)  # no version comes or goes meanwhile
        for i, head, request, fields in zip(noted, heads, requests, found, strict=True):
            asked[i] = self._asked(head, request, values, fields, model_of)
        return asked

    def _asked(
        self, known: KnownHead, data: bytes, values: Floats, found: list[int], model_of: ModelOf
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
