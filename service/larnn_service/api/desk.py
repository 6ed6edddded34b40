"""Where exchanges get their answers: those of one turn of the event loop are written together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Protocol

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from larnn_service.api.together import Together, each_alone
from larnn_service.backend.responses import Frame, Response, can_write, write_answers
from larnn_service.endpoints.classify import Asked, told
from larnn_service.engine.batching.queue_entries import Outcome
from larnn_service.engine.engine import Engine, last_logits
from larnn_service.errors import ServiceError
from larnn_service.interfaces import Floats, Model
from larnn_service.wire.openapi import ClassifyAnswer

Headers = list[tuple[bytes, bytes]]


class Asker(Protocol):
    """An exchange that waits for its answer."""

    @property
    def default_headers(self) -> Headers:
        """Of all responses."""
        ...

    def respond(self, response: Response) -> None:
        """With the whole response, or with its body where it says more of itself."""
        ...

    def answer(self, body: bytes) -> None: ...

    def refuse(self, error: Exception) -> None: ...


class Desk:
    """Lets the engine run what is asked, and answers."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._together = can_write()
        self._answers = Together(_answer)

    def begin(self, asked: Asked, asker: Asker) -> Callable[[], None]:
        """Returns what calls it off. Raises Full, Draining."""
        then = partial(self._end, asked, asker)
        return self._engine.begin_classify(asked.model, asked.sequences, then)

    def _end(self, asked: Asked, asker: Asker, outcomes: list[Outcome]) -> None:
        first = outcomes[0]
        if self._together and len(outcomes) == 1 and isinstance(first, tuple):
            return self._answers.add(asked.model, (asker, first[0], asked.logits))
        try:
            body = told(asked, last_logits(outcomes))
        except ServiceError as error:  # it would keep the frames that it came through, and they it
            return asker.refuse(error.with_traceback(None))
        except Exception as error:
            return asker.refuse(error)
        asker.answer(body)


def _answer(model: Model, each: list[tuple[Asker, Floats, bool]]) -> None:
    askers, logits, flags = zip(*each, strict=True)
    try:
        responses = _responses(model, askers[0].default_headers, logits, flags)
    except Exception as error:
        return each_alone(_refuse, [(asker, error) for asker in askers])
    each_alone(_respond, zip(askers, responses, strict=True))


def _refuse(asker: Asker, error: Exception) -> None:
    asker.refuse(error)


def _respond(asker: Asker, response: Response) -> None:
    asker.respond(response)


def _responses(
    model: Model, headers: Headers, logits: Sequence[Floats], flags: Sequence[bool]
) -> list[Response]:
    manifest = model.manifest
    frame = _frame(manifest.name, manifest.version, tuple(headers))
    return write_answers(logits, texts(manifest.contract.labels), frame, flags)


@lru_cache(maxsize=64)
def texts(labels: tuple[str, ...]) -> tuple[bytes, ...]:
    """Labels as JSON."""
    return tuple(map(msgspec.json.encode, labels))


@lru_cache(maxsize=64)
def _frame(name: str, version: int, headers: tuple[tuple[bytes, bytes], ...]) -> Frame:
    """Around an answer of this version; the headers of all responses have the date."""
    lines = [name + b": " + value + b"\r\n" for name, value in headers]
    none = msgspec.json.encode(ClassifyAnswer(name, version, []))
    end = none.rindex(b"]")
    return Frame(
        b"".join([STATUS_LINE[200], *lines, b"content-length: "]),
        b"\r\ncontent-type: application/json\r\n\r\n",
        none[:end],
        none[end:],
    )
