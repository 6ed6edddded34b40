"""What a step is and what it is answered with, as the contract says it."""

from __future__ import annotations

from dataclasses import dataclass

from larnn_export.importing.axes import Axes, count, features
from larnn_export.importing.carried import served_dtype
from larnn_export.importing.options import Answer, Options
from larnn_export.importing.original import Original
from larnn_export.importing.problems import Problems
from larnn_export.reasons import field_errors
from larnn_service.contract import Channel, Input
from larnn_service.inputs import Frame, Range
from larnn_service.outputs import Output


@dataclass(frozen=True)
class Given:
    """An output: how the contract and the file call it."""

    output: Output
    name: str
    axes: Axes
    type: int


def give(
    original: Original, options: Options, axes: Axes, name: str, served: str, problems: Problems
) -> Given | None:
    tensor = original.outputs[name]
    answer = next((each for each in options.outputs if each.name == name), Answer(name=name))
    shape = tuple(size for size in features(axes) if size > 1) or (1,)
    named = answer.labels or answer.values
    if answer.task == "raw" and named or answer.task != "raw" and len(named) != count(axes):
        kind = "values" if answer.task == "values" else "labels"
        mend = f"name each of its {count(axes)} numbers by --{kind}, or --task raw"
        problems.add(f"output {tensor} has {len(named)} names for {answer.task}", mend)
        return None
    try:
        output = Output(
            name=served,
            task=answer.task,
            labels=answer.labels,
            values=answer.values,
            shape=shape if answer.task == "raw" else (),
            dtype=served_dtype(tensor.dtype),
        )
    except ValueError as error:
        problems.add(f"output {tensor}", field_errors(error))
        return None
    return Given(output, name, axes, tensor.type)


def take(options: Options, size: int, problems: Problems) -> Input | None:
    """What a step of so many numbers is."""
    said = options.input
    if said.tokens is not None and (size > 1 or said.frame or said.overlap):
        problems.add(
            f"{said.tokens} tokens", f"a step is one token, and here it has {size} numbers"
        )
        return None
    if said.channels and len(said.channels) != size:
        problems.add(f"{len(said.channels)} channels are named", f"a step has {size} numbers")
        return None
    try:
        if said.channels:
            return Input(channels=said.channels)
        if said.tokens is not None:
            return Input(channels=(Channel(name="token", unit=said.unit),))
        if said.frame is None:
            return Input(range=Range(prefix="x", count=size, unit=said.unit))
        rate, scale = options.sample_rate_hz, said.int16_scale
        return Input(
            frame=Frame(samples=size, unit=said.unit, sample_rate_hz=rate, int16_scale=scale)
        )
    except ValueError as error:
        problems.add(f"a step of {size} numbers", field_errors(error))
        return None
