"""File and model side by side: rows of several lengths, in chunks that carry the state on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from larnn_export.importing.options import Options
from larnn_export.importing.original import Arrays, Original
from larnn_export.importing.plan import Plan
from larnn_export.importing.problems import ImportFailed
from larnn_export.importing.reference import Reference
from larnn_export.onnx_run import RunError, Session, difference
from larnn_export.trial_inputs import noise_for
from larnn_service.contract import INPUT, LENGTHS

BOUNDS = {"float32": 1e-5, "float16": 1e-2, "int8": 5e-2}
"""Of the difference relative to max(1, |value|), by the file's precision."""
ROWS = 4
STEPS = 61
"""Of the longest row, where there are no samples."""
LONGEST = 2_000
"""Steps of the samples that are run."""


@dataclass(frozen=True)
class Difference:
    """The largest that were met, relative to max(1, |value|)."""

    outputs: Mapping[str, float]
    """Of each output, by its name in the contract."""
    state: float
    bound: float
    steps: int
    """Of the longest row."""
    source: str
    """What was run: a file of samples, or noise."""

    @property
    def largest(self) -> float:
        """Of all outputs."""
        return max(self.outputs.values())


@dataclass(frozen=True)
class Own:
    """A person's own input."""

    steps: NDArray[Any]
    """[steps, channels]."""
    name: str
    """Of its file."""


def compare(
    original: Original,
    plan: Plan,
    model: onnx.ModelProto,
    options: Options,
    own: Own | None = None,
) -> Difference:
    """Run both on a person's own input, or on noise. Raises ImportFailed where
    they differ, and where the file does not run or gives no finite numbers."""
    random = np.random.default_rng(0)
    source, rows = _rows(plan, random, own)
    once = [_once(plan, random) for _ in rows]
    reference = Reference(original, plan, options)
    try:
        wanted = [reference.run(row, each) for row, each in zip(rows, once, strict=True)]
    except RunError as error:
        raise ImportFailed(
            [f"the file does not run on {source}: {error}: try --samples"]
        ) from error
    for outputs, _ in wanted:
        for given, output in zip(plan.given, outputs, strict=True):
            if not given.output.is_good(output):
                raise ImportFailed(
                    [f"{given.name} of the file is not finite on {source}: give it real --samples"]
                )
    try:
        found = _in_chunks(Session(model.SerializeToString()), plan, rows, once, random)
    except RunError as error:
        raise ImportFailed([f"onnxruntime cannot run it inside a loop: {error}"]) from error
    bound = options.tolerance or BOUNDS[original.precision]
    names = [given.output.name for given in plan.given]
    worst = dict.fromkeys(found, 0.0)
    for row, (outputs, last) in enumerate(wanted):
        wants = {**dict(zip(names, outputs, strict=True)), **last}
        for name, got in found.items():
            differs = difference(got[row], wants[name].reshape(got[row].shape))
            if not differs <= bound:
                raise ImportFailed([_told(name, differs, bound, row, original)])
            worst[name] = max(worst[name], differs)
    by_output = {name: worst.pop(name) for name in names}
    return Difference(by_output, max(worst.values()), bound, len(rows[0]), source)


def _rows(
    plan: Plan, random: np.random.Generator, own: Own | None
) -> tuple[str, list[NDArray[Any]]]:
    """What they are, and of several lengths, the first the longest."""
    if own is None:
        drawn = noise_for(plan.contract)
        noise = drawn.draw(random, ROWS, STEPS)
        if plan.overlap:
            noise *= np.float32(0.1)  # as loud as sound is
        return drawn.told, [row[: STEPS - 7 * index] for index, row in enumerate(noise)]
    steps = own.steps[:LONGEST]
    return own.name, [
        steps[(start := len(steps) * i // (2 * ROWS)) : max(len(steps) - start, start + 1)]
        for i in range(ROWS)
    ]


def _once(plan: Plan, random: np.random.Generator) -> Arrays:
    """What a row is told: the defaults, or noise where there are none."""
    return {
        held.tensor.name: held.start
        if held.start is not None
        else random.normal(0, 1, held.tensor.shape).astype(held.tensor.dtype)
        for held in plan.held
    }


def _starts(plan: Plan) -> Arrays:
    """The state of a row before its first step."""
    starts = {tensor.name: np.zeros(tensor.shape, "f4") for tensor in plan.contract.state}
    return starts | {kept.tensor.name: kept.start for kept in plan.kept}


def _stacked(rows: list[Arrays]) -> Arrays:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _in_chunks(
    session: Session,
    plan: Plan,
    rows: list[NDArray[Any]],
    once: list[Arrays],
    random: np.random.Generator,
) -> dict[str, list[NDArray[Any]]]:
    """What the model gives for each row, and its last states."""
    outputs = [given.output.name for given in plan.given]
    names = [*outputs, *(tensor.next_name for tensor in plan.contract.state)]
    state = _stacked([_starts(plan) for _ in rows])
    done = [0] * len(rows)
    found: dict[str, list[list[NDArray[Any]]]] = {name: [[] for _ in rows] for name in outputs}
    while any(at < len(row) for at, row in zip(done, rows, strict=True)):
        most = int(random.choice([1, 3, 18, 32]))
        lengths = [
            min(len(row) - at, most if index == 0 else int(random.integers(0, most + 1)))
            for index, (at, row) in enumerate(zip(done, rows, strict=True))
        ]
        x = np.zeros((len(rows), max(1, *lengths), rows[0].shape[1]), rows[0].dtype)
        for index, length in enumerate(lengths):
            x[index, :length] = rows[index][done[index] : done[index] + length]
        given = session.run(
            names, {INPUT: x, LENGTHS: np.array(lengths), **state, **_stacked(once)}
        )
        for name, array in zip(outputs, given, strict=False):
            for index, length in enumerate(lengths):
                found[name][index].append(array[index, :length])
        after = given[len(outputs) :]
        state = {t.name: array for t, array in zip(plan.contract.state, after, strict=True)}
        done = [at + length for at, length in zip(done, lengths, strict=True)]
    joined = {name: [np.concatenate(each) for each in rows_] for name, rows_ in found.items()}
    return joined | {name: list(array) for name, array in state.items()}


def _told(name: str, difference: float, bound: float, row: int, original: Original) -> str:
    return (
        f"{name} of row {row} differs from the file's by {difference:.1e}, more than {bound:.0e}: "
        "does it look ahead, or its answer depend on how many steps it gets at once? where it is "
        f"meant to get one a time, --steps one; where it is rounding ({original.precision}), "
        f"--tolerance {difference * 2:.0e}"
    )
