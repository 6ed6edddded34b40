"""Predictions of streams: those of one turn of the event loop are written together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from larnn_service.api.desk import texts
from larnn_service.api.together import Together, each_alone
from larnn_service.backend.responses import write_predictions
from larnn_service.engine.streams.chunk import Advanced
from larnn_service.interfaces import Model


class Prediction(NamedTuple):
    """The answer to a chunk, of its last step, and what takes its frame, or why there is none."""

    advanced: Advanced
    logits: bool
    """Whether they are told."""
    then: Callable[[bytes | Exception], None]


class Predictions(Together[Model, Prediction]):
    """Of all connections."""

    def __init__(self) -> None:
        super().__init__(_write)


def _write(model: Model, predictions: list[Prediction]) -> None:
    last = [each.advanced.logits[-1:] for each in predictions]
    places = [(each.advanced.position, each.advanced.durable) for each in predictions]
    flags = [each.logits for each in predictions]
    frames: Sequence[bytes | Exception]
    try:
        frames = write_predictions(last, texts(model.manifest.contract.labels), places, flags)
    except Exception as error:
        frames = [error] * len(predictions)
    each_alone(_end, zip(predictions, frames, strict=True))


def _end(prediction: Prediction, frame: bytes | Exception) -> None:
    prediction.then(frame)
