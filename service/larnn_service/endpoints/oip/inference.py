"""Inference, the same for REST and gRPC: whole sequences, or the next steps of a named one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from larnn_service.contract import INPUT, LENGTHS, MAX_VERSION
from larnn_service.conversion.conversion import Conversion
from larnn_service.endpoints.decoding import Decoding
from larnn_service.endpoints.oip.contexts import read_starts
from larnn_service.endpoints.oip.parameters import (
    Parameters,
    SequencePart,
    Value,
    said_in,
    sequence_part,
)
from larnn_service.endpoints.oip.tensors import INT64, Tensor, input_datatype
from larnn_service.engine.engine import Engine, Outputs
from larnn_service.engine.models.registry import key
from larnn_service.engine.streams.sequences import Part, Sequences
from larnn_service.errors import BadMessage, BadShape, BadValue, TooLarge, UnknownModel, quoted
from larnn_service.interfaces import Floats, Model, RowState, Steps
from larnn_service.outputs import from_columns
from larnn_service.settings import Settings
from larnn_service.tasks import Tasks, result_of
from larnn_service.telemetry.calls import concerns
from larnn_service.wire.arrays import check_chunk_size, checked
from larnn_service.wire.classify import check_sizes
from larnn_service.wire.large_json import LARGE
from larnn_service.wire.measured import check_kept, conversion_of, converted
from larnn_service.wire.number_texts import whole_number

T = TypeVar("T")


@dataclass(frozen=True)
class Asked:
    """A request without its wire."""

    model: str
    version: str
    """Empty for the one that answers."""
    inputs: list[Tensor]
    outputs: list[str]
    """Empty for all."""
    parameters: Parameters

    @property
    def size(self) -> int:
        """Bytes of its numbers; of more than `LARGE` they are best not read in the event loop."""
        return sum(tensor.size for tensor in self.inputs)


@dataclass(frozen=True)
class Inferred:
    """The answer to it."""

    model: Model
    outputs: dict[str, NDArray[Any]]
    """[batch, steps, …] by name, in the model's order; zero beyond a row's length."""
    parameters: dict[str, Value] = field(default_factory=dict)


def version_number(version: str) -> int | None:
    """Of an address or a field; None where it is empty. Raises UnknownModel."""
    if not version:
        return None
    if (number := whole_number(version)) is None or number > MAX_VERSION:
        raise UnknownModel(f"there is no version {quoted(version)}; versions are numbers")
    return number


def versions_of(engine: Engine, name: str, version: str) -> list[Model]:
    """The version, or without one all of the model's that serve. Raises UnknownModel."""
    model = engine.model(name, version_number(version))
    return [model] if version else list(engine.models.serving(model.manifest.name))


class _Rows(NamedTuple):
    """Whole sequences as the model takes them."""

    x: Steps
    """[batch, steps, channels]"""
    lengths: list[int]
    starts: list[RowState] | None


class Inference:
    """What is behind the endpoint."""

    def __init__(self, engine: Engine, settings: Settings, decoding: Decoding) -> None:
        self._engine = engine
        self._settings = settings
        self._decoding = decoding
        self._sequences = Sequences(engine)
        self._tasks = Tasks()

    def model(self, name: str, version: str) -> Model:
        """The model that is asked for. Raises UnknownModel."""
        return self._engine.model(name, version_number(version))

    async def __call__(self, asked: Asked, owner: str) -> Inferred:
        """`begin` for those who can wait. Raises ServiceError."""
        return await result_of(partial(self.begin, asked, owner))

    def begin(
        self, asked: Asked, owner: str, answer: Callable[[Inferred | Exception], None]
    ) -> Callable[[], object]:
        """Run what is asked; `answer` is called once, unless this raises ServiceError. Returns what
        abandons the work; a part of a sequence that has begun to run is finished, and counts."""
        part = sequence_part(asked.parameters)
        if part is None:
            return self._whole(asked, owner, answer)
        return self._tasks.start(self._part(asked, part, owner, answer))

    def _whole(
        self, asked: Asked, owner: str, answer: Callable[[Inferred | Exception], None]
    ) -> Callable[[], object]:
        model = self.model(asked.model, asked.version)
        concerns(*key(model))
        check_outputs(asked.outputs, model)
        read = partial(self._read, asked, model)
        run = partial(self._run, asked, owner, model, answer)
        if (size := asked.size) > LARGE:
            return self._decoding.begin(read, run, answer, owner, size)
        return run(read())

    def _read(self, asked: Asked, model: Model) -> _Rows:
        """The rows of whole sequences. What is too much is refused before a number is read."""
        wanted = conversion_of(model, said_in(asked.parameters))
        x, lengths = read_inputs(asked.inputs, model, self._check_rows, self._settings)
        starts = read_starts(asked.inputs, model, len(x))
        return _Rows(converted(x, wanted, model, INPUT), lengths, starts)

    def _check_rows(self, steps: int, lengths: list[int]) -> None:
        check_sizes(lengths, self._settings, INPUT)
        if (whole := len(lengths) * steps) > (most := self._settings.max_request_steps):
            raise TooLarge(f"{whole} steps with what is beyond the lengths; at most {most}")

    def _run(
        self,
        asked: Asked,
        owner: str,
        model: Model,
        answer: Callable[[Inferred | Exception], None],
        read: _Rows,
    ) -> Callable[[], object]:
        x = read.x
        rows = [row[:length] for row, length in zip(x, read.lengths, strict=True)]

        def then(outcome: Outputs | Exception) -> None:
            if isinstance(outcome, Exception):
                return answer(outcome)
            answer(Inferred(model, _asked(asked.outputs, model, _columns(outcome, x.shape[1]))))

        return self._engine.classify(
            model, rows, then, every_step=True, starts=read.starts, owner=owner
        )

    async def _part(
        self,
        asked: Asked,
        part: SequencePart,
        owner: str,
        answer: Callable[[Inferred | Exception], None],
    ) -> None:
        try:
            answer(await self._advance(asked, part, owner))
        except Exception as error:
            answer(error)

    async def _advance(self, asked: Asked, part: SequencePart, owner: str) -> Inferred:
        said, most = said_in(asked.parameters), self._settings.max_chunk_steps

        def check(steps: int, lengths: list[int]) -> None:
            if len(lengths) != 1:
                raise BadShape(f"input {INPUT}: a batch of {len(lengths)}; a sequence takes 1")
            if lengths[0] or not part.ends:  # an end may come without steps
                check_chunk_size(lengths[0], most)
            if steps > most:
                raise TooLarge(f"{steps} steps with what is beyond the length; at most {most}")

        async def steps(model: Model, wanted: Conversion | None) -> Floats:
            check_outputs(asked.outputs, model)
            if not part.starts:
                if {tensor.name for tensor in asked.inputs} - {INPUT, LENGTHS}:
                    raise BadMessage(
                        "context is given with sequence_start, and holds from there on"
                    )
                check_kept(model, said, wanted)
            return await self._aside(asked, owner, partial(read, model, wanted))

        def read(model: Model, wanted: Conversion | None) -> Floats:
            x, [length] = read_inputs(asked.inputs, model, check, self._settings)
            return converted(x[0, :length], wanted, model, f"{INPUT}[0]")

        async def start(model: Model) -> RowState | None:
            starts = await self._aside(asked, owner, partial(read_starts, asked.inputs, model, 1))
            return None if starts is None else starts[0]

        model, advanced = await self._sequences.advance(
            asked.model,
            version_number(asked.version),
            Part(
                part.name,
                steps,
                part.starts,
                part.ends,
                part.offset,
                part.acked,
                start,
                partial(conversion_of, said=said),
            ),
            owner,
        )
        told = {**part.told, "position": advanced.position, "durable": advanced.durable}
        return Inferred(model, _asked(asked.outputs, model, advanced.outputs[None]), told)

    async def _aside(self, asked: Asked, owner: str, read: Callable[[], T]) -> T:
        """What is read of a request, of a large one in a thread."""
        size = asked.size
        return await self._decoding.result(read, owner, size) if size > LARGE else read()


def check_outputs(names: list[str], model: Model) -> None:
    """Raises BadMessage where one is none of the model's."""
    there_are = [output.name for output in model.manifest.contract.outputs]
    if unknown := set(names) - set(there_are):
        raise BadMessage(
            f"output {quoted(min(unknown))}: the model gives {', '.join(there_are)} alone; its "
            "state stays here, and goes on where requests carry a sequence_id"
        )


def _columns(rows: Outputs, steps: int) -> Floats:
    """[rows, steps, columns] of rows [steps of each, columns], zero behind the shorter ones."""
    if len(rows) == 1 and len(rows[0]) == steps:
        return rows[0][None]
    columns = np.zeros((len(rows), steps, rows[0].shape[1]), np.float32)
    for row, told in zip(columns, rows, strict=True):
        row[: len(told)] = told
    return columns


def _asked(names: list[str], model: Model, columns: Floats) -> dict[str, NDArray[Any]]:
    """Those outputs, or all of them: [batch, steps, …] of [batch, steps, columns]."""
    arrays = from_columns(model.manifest.contract.outputs, columns)
    return {name: array for name, array in arrays.items() if not names or name in names}


def read_inputs(
    inputs: list[Tensor],
    model: Model,
    check: Callable[[int, list[int]], None],
    settings: Settings,
) -> tuple[Steps, list[int]]:
    """x [batch, steps, channels] and each row's length.

    `check` gets the steps of x and the lengths, and refuses what is too much before x is read.
    Raises BadMessage, BadShape, BadValue, TooLarge.
    """
    by_name = {tensor.name: tensor for tensor in inputs}
    contract = model.manifest.contract
    width = contract.input.width
    context = [tensor.name for tensor in contract.context]
    known = {INPUT, LENGTHS, *context}
    if len(by_name) != len(inputs) or INPUT not in by_name or by_name.keys() - known:
        told = f" and context: {', '.join(context)}" if context else ""
        raise BadMessage(
            f"inputs {quoted(', '.join(tensor.name for tensor in inputs) or 'none')}: "
            f"{model.manifest.name} takes {INPUT} [batch, steps, {width}] and, if rows differ, "
            f"{LENGTHS} [batch, 1]{told}; its state stays here"
        )
    x, axes = by_name[INPUT], ("batch", "steps", width)
    x.check(datatype := input_datatype(contract), *axes)
    rows, steps, _ = x.shape
    if rows > (most := settings.max_sequences):  # before there is anything of each
        raise TooLarge(f"{rows} sequences; at most {most} in a request")
    lengths = _lengths(by_name[LENGTHS], rows, steps) if LENGTHS in by_name else [steps] * rows
    check(steps, lengths)
    return checked(x.array(datatype, *axes), model, INPUT), lengths


def _lengths(given: Tensor, rows: int, steps: int) -> list[int]:
    axes: tuple[int, ...] = () if len(given.shape) == 1 else (1,)
    lengths: NDArray[np.int64] = given.array(INT64, rows, *axes).reshape(-1)
    if not ((lengths >= 0) & (lengths <= steps)).all():
        raise BadValue(f"input {LENGTHS}: each is between 0 and the steps of {INPUT}, {steps}")
    return [int(length) for length in lengths]
