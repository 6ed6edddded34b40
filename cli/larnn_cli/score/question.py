"""From options to a question: the model, its columns, what it is told."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from larnn_cli.score.layout import Layout
from larnn_cli.score.open_file import Question
from larnn_export.data import DataError
from larnn_service.answer_columns import Answers
from larnn_service.app import open_repository
from larnn_service.engine.models.load_threads import LoadThreads
from larnn_service.engine.models.registry import at_start
from larnn_service.errors import ServiceError
from larnn_service.interfaces import Model
from larnn_service.settings import Settings
from larnn_service.wire.context import start_of
from larnn_service.wire.measured import Said, conversion_of


def load(name: str | None, version: int | None, threads: int) -> Model:
    """A model of LARNN_MODELS, ready for so many runs at a time.

    Raises StartupError, DataError where there is no such model.
    """
    settings = Settings(concurrency=threads)
    within = LoadThreads(settings.load_timeout)
    fetching = LoadThreads(settings.fetch_timeout, "LARNN_FETCH_TIMEOUT")
    repository = open_repository(settings, fetching)
    models = at_start(repository, settings.model, settings.versions, within)
    try:
        return models.wanted(name, version)
    except ServiceError as error:
        raise DataError(str(error)) from error


def ask(
    model: Model,
    *,
    by: tuple[str, ...] = (),
    column: str | None = None,
    outputs: tuple[str, ...] = (),
    every: bool = False,
    context: dict[str, Any] | None = None,
    units: str = "",
    axes: str = "",
    sample_rate_hz: float | None = None,
) -> tuple[Question, dict[str, Any]]:
    """The question, and all of it as JSON.

    `by`, `column`: as for Layout. `outputs`, `every`: as for Question. `context`: what the model is
    told once, by name. `units`, `axes`, `sample_rate_hz`: what the numbers are. Raises DataError
    where the model does not answer it.
    """
    known = [output.name for output in model.manifest.contract.outputs]
    if unknown := [name for name in outputs if name not in known]:
        raise DataError(f"no output {unknown[0]!r}; {model.manifest.name} has {', '.join(known)}")
    answers = Answers(model.manifest.contract.outputs, outputs)
    own = {"first_row", "steps", "row", *answers.columns(answers.nothing())}
    if taken := [name for name in by if name in own]:
        raise DataError(f"--by {taken[0]!r}: the answers have a column of that name; rename it")
    told = {name: json.dumps(value, default=_list) for name, value in (context or {}).items()}
    try:
        start = start_of(model, {name: msgspec.Raw(text.encode()) for name, text in told.items()})
        conversion = conversion_of(model, Said(units, axes, sample_rate_hz))
    except ServiceError as error:
        raise DataError(str(error)) from error
    about = {
        "model": model.manifest.name,
        "version": model.manifest.version,
        "graph": model.manifest.graph.sha256,
        "by": list(by),
        "column": column,
        "outputs": list(outputs),
        "every": every,
        "context": told,
        "measured": conversion.measured._asdict() if conversion else {},
    }
    return Question(model, Layout(model, by, column, conversion, start), outputs, every), about


def _list(array: Any) -> Any:
    return array.tolist()
