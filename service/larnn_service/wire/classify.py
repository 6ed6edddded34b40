"""POST /classify on the wire: a body to a model and its sequences, outputs to a response."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import NamedTuple

import msgspec
import numpy as np
from msgspec import UnsetType

from larnn_service.errors import BadMessage, BadShape, TooLarge
from larnn_service.interfaces import Floats, Model, RowState, Steps
from larnn_service.settings import Settings
from larnn_service.wire.answer_arrays import npy_response
from larnn_service.wire.answer_options import AnswerOptions, options_of, unsure, usual
from larnn_service.wire.arrays import (
    check_characters,
    json_sequences,
    npy_sequences,
    text_tokens,
    version_asked,
)
from larnn_service.wire.context import read_query, start_of
from larnn_service.wire.http import Head, Response, query_of
from larnn_service.wire.http_schemas import ClassifyAnswer, ClassifyBody, ContextBody
from larnn_service.wire.json_bodies import decode_json
from larnn_service.wire.measured import Said, check_unsaid, conversion_of, converted, said_in
from larnn_service.wire.predictions import answer

_BODY = msgspec.json.Decoder(ClassifyBody)
_OF_STREAMS = ("emit", "explain", "offset", "acked")

ModelOf = Callable[[str | None, int | None], Model]
"""The served model of a name and version, None for the default. Raises UnknownModel."""


class ClassifyRequest(NamedTuple):
    """What a body asks for: sequences [steps, channels], as the model takes them."""

    model: Model
    sequences: list[Steps]
    options: AnswerOptions
    npy: bool
    """Arrays are asked for, not JSON."""
    start: RowState | None = None
    """State before the first step, where the model takes context."""


class _Address(NamedTuple):
    """What the address says of an array, which has no room for it."""

    name: str | None
    version: int | None
    options: AnswerOptions
    context: ContextBody
    said: Said


class ClassifyDecoder:
    """Decodes bodies within the limits of the settings."""

    def __init__(self, model_of: ModelOf, settings: Settings) -> None:
        self._model_of, self._settings, self._usual = model_of, settings, usual(settings)

    def decode(self, head: Head, body: bytes | bytearray) -> ClassifyRequest:
        """Raises BadJson, BadMessage, BadShape, BadValue, TooLarge, UnknownModel."""
        if head.sends_npy:
            return self._decode_npy(head, body)
        if head.query:
            check_unsaid(head.query, "JSON says it inside", ClassifyBody.__struct_fields__)
        asked, arrays = decode_json(_BODY, body), head.accepts_npy
        model = self._model_of(asked.model, asked.version)
        options = AnswerOptions(
            asked.logits,
            outputs=frozenset(asked.outputs),
            probabilities=asked.probabilities,
            unsure=self._usual.unsure if asked.unsure is None else unsure(asked.unsure),
        )
        options.check(model.manifest.contract, model.manifest.name, arrays)
        start, sequences = start_of(model, asked.context), self._sequences(asked, model)
        if (said := Said(asked.units, asked.axes, asked.sample_rate_hz)).anything:
            wanted = conversion_of(model, said)
            sequences = [
                converted(steps, wanted, model, f"sequences[{index}]")
                for index, steps in enumerate(sequences)
            ]
        return ClassifyRequest(model, sequences, options, arrays, start)

    def _decode_npy(self, head: Head, body: bytes | bytearray) -> ClassifyRequest:
        asked, arrays = _read_address(head.query_string, self._usual), head.accepts_npy
        model = self._model_of(asked.name, asked.version)
        asked.options.check(model.manifest.contract, model.manifest.name, arrays)
        start, wanted = start_of(model, asked.context), conversion_of(model, asked.said)
        check = partial(check_sizes, settings=self._settings)
        batch = converted(npy_sequences(body, model, check), wanted, model, "sequences")
        return ClassifyRequest(model, list(batch), asked.options, arrays, start)

    def _sequences(self, asked: ClassifyBody, model: Model) -> list[Steps]:
        settings, numbers, texts = self._settings, asked.sequences, asked.texts
        if isinstance(numbers, UnsetType) is isinstance(texts, UnsetType):
            raise BadMessage("send either sequences or texts")
        if not isinstance(numbers, UnsetType):
            most = settings.max_sequences
            check = partial(check_sizes, settings=settings)
            return json_sequences(numbers, model, most, settings.max_request_steps, check)
        assert not isinstance(texts, UnsetType)
        _check_count(len(texts), settings, "texts")
        limit = settings.max_sequence_steps
        check_characters(
            sum(map(len, texts)), settings.max_request_steps, "the texts together have"
        )
        tokens = [text_tokens(text, model, limit, f"texts[{i}]") for i, text in enumerate(texts)]
        check_sizes([len(steps) for steps in tokens], settings, "texts")
        return tokens


@lru_cache(maxsize=64)
def _read_address(text: str, usual: AnswerOptions) -> _Address:
    """The query of an address. Clients send few different ones.

    Raises BadJson, BadMessage.
    """
    query = query_of(text)
    check_unsaid(query, "each sequence has one answer", _OF_STREAMS)
    name, version = query.get("model"), version_asked(query)
    return _Address(name, version, options_of(query, usual), read_query(query), said_in(query))


def encode(request: ClassifyRequest, outputs: list[Floats]) -> Response:
    """The answer; `outputs` [columns] are those of each sequence's last step."""
    manifest, options = request.model.manifest, request.options
    if request.npy:
        about: dict[str, int | str] = {"model": manifest.name, "version": manifest.version}
        return npy_response(manifest.contract, np.stack(outputs), options, about)
    predictions = [answer(manifest.contract, step, options) for step in outputs]
    told = ClassifyAnswer(manifest.name, manifest.version, predictions)
    return Response(msgspec.json.encode(told))


def _check_count(count: int, settings: Settings, place: str) -> None:
    if not count:
        raise BadShape(f"{place} is empty; send at least one")
    if count > settings.max_sequences:
        raise TooLarge(f"{count} sequences; at most {settings.max_sequences} in a request")


def check_sizes(steps: list[int], settings: Settings, place: str = "sequences") -> None:
    """Raises BadShape, TooLarge where a request may not have so many sequences of so many steps."""
    _check_count(len(steps), settings, place)
    for index, count in enumerate(steps):
        if not count:
            raise BadShape(f"{place}[{index}] has no steps; send at least one")
        if count > settings.max_sequence_steps:
            raise TooLarge(
                f"{place}[{index}] has {count} steps; at most {settings.max_sequence_steps}"
            )
    if sum(steps) > settings.max_request_steps:
        raise TooLarge(f"{sum(steps)} steps; at most {settings.max_request_steps} in a request")
