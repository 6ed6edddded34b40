"""POST /classify on the wire: a body to a model and its sequences, logits to a body."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import msgspec
from msgspec import UnsetType

from larnn_service.errors import BadMessage, BadShape, TooLarge, quoted
from larnn_service.interfaces import Floats, Model, RowState, Steps
from larnn_service.settings import Settings
from larnn_service.wire.answer_options import AnswerOptions, outputs_of
from larnn_service.wire.arrays import (
    check_characters,
    decode_json,
    json_sequences,
    npy_array,
    text_tokens,
    version_asked,
)
from larnn_service.wire.context import read_query, start_of
from larnn_service.wire.http import Head
from larnn_service.wire.http_schemas import ClassifyAnswer, ClassifyBody
from larnn_service.wire.predictions import answer

NPY = "application/x-npy"
_BODY = msgspec.json.Decoder(ClassifyBody)
_TRUTH = {"true": True, "1": True, "false": False, "0": False}

ModelOf = Callable[[str | None, int | None], Model]
"""The served model of a name and version, None for the default. Raises UnknownModel."""


class ClassifyRequest(NamedTuple):
    """What a body asks for: sequences [steps, channels], as the model takes them."""

    model: Model
    sequences: list[Steps]
    options: AnswerOptions
    start: RowState | None = None
    """State before the first step, where the model takes context."""


class ClassifyDecoder:
    """Decodes bodies within the limits of the settings."""

    def __init__(self, model_of: ModelOf, settings: Settings) -> None:
        self._model_of, self._settings = model_of, settings

    def decode(self, head: Head, body: bytes | bytearray) -> ClassifyRequest:
        """Raises BadJson, BadMessage, BadShape, BadValue, TooLarge, UnknownModel."""
        query = head.query
        logits = _flag(query.get("logits", "false"))
        if head.headers.get("content-type", "").partition(";")[0] == NPY:
            model = self._model_of(query.get("model"), version_asked(query))
            options = _checked(model, logits, outputs_of(query))
            sequences = list(npy_array(body, model))
            check_sizes([len(sequence) for sequence in sequences], self._settings)
            return ClassifyRequest(model, sequences, options, start_of(model, read_query(query)))
        asked = decode_json(_BODY, body)
        model = self._model_of(asked.model, asked.version)
        options = _checked(model, asked.logits, frozenset(asked.outputs))
        start = start_of(model, asked.context)
        return ClassifyRequest(model, self._sequences(asked, model), options, start)

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


def _checked(model: Model, logits: bool, outputs: frozenset[str]) -> AnswerOptions:
    options = AnswerOptions(logits, outputs=outputs)
    options.check(model.manifest.contract, model.manifest.name)
    return options


def encode(request: ClassifyRequest, outputs: list[Floats]) -> bytes:
    """The answer as JSON; `outputs` [columns] are those of each sequence's last step."""
    manifest = request.model.manifest
    predictions = [answer(manifest.contract, step, request.options) for step in outputs]
    return msgspec.json.encode(ClassifyAnswer(manifest.name, manifest.version, predictions))


def _flag(text: str) -> bool:
    if (value := _TRUTH.get(text.lower())) is None:
        raise BadMessage(f"query logits: {quoted(text)} is neither true nor false")
    return value


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
