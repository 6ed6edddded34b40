"""What is made of a file: the contract of the version, and what stands for what in it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from larnn_export.importing.axes import Axes, count
from larnn_export.importing.carried import Held, Kept, files, hold, keep
from larnn_export.importing.described import Given, give, take
from larnn_export.importing.layout import Layout
from larnn_export.importing.options import Options
from larnn_export.importing.original import LAYERS, Original, all_nodes
from larnn_export.importing.pairing import Pairing
from larnn_export.importing.problems import ImportFailed, Problems
from larnn_export.reasons import field_errors
from larnn_service.contract import (
    ATTENTION,
    INPUT,
    LENGTHS,
    LOGITS,
    NEXT_ROWS,
    ROWS,
    Contract,
    StateTensor,
)

OVERLAP = "overlap"
"""The state that holds the samples before a frame."""
_TAKEN = (INPUT, LENGTHS, OVERLAP, ATTENTION, ROWS, NEXT_ROWS)


@dataclass(frozen=True)
class Fed:
    """An input of the file that takes a part of each step."""

    name: str
    axes: Axes
    type: int

    @property
    def size(self) -> int:
        """How many numbers of a step it takes, those of the overlap included."""
        return count(self.axes)


@dataclass(frozen=True)
class Plan:
    """A file as it will be served."""

    contract: Contract
    layout: Layout
    fed: tuple[Fed, ...]
    kept: tuple[Kept, ...]
    held: tuple[Held, ...]
    given: tuple[Given, ...]
    overlap: int
    """Samples of the steps before that each step takes again."""

    @property
    def carried(self) -> tuple[Kept | Held, ...]:
        """All that goes along with a row's steps."""
        return *self.kept, *self.held

    @property
    def files(self) -> dict[str, bytes]:
        """What lies beside the manifest, besides the graph."""
        said = {each.before: (each.tensor.initial, each.start) for each in self.kept}
        return files(said | {each.before: (each.tensor.default, each.start) for each in self.held})


def make_plan(original: Original, paired: Pairing, layout: Layout, options: Options) -> Plan:
    """The contract that `layout` leads to. Raises ImportFailed with all that does not fit."""
    problems, axes = Problems(), layout.axes
    fed = tuple(Fed(name, axes[name], original.inputs[name].type) for name in paired.data)
    overlap, new = options.input.overlap, sum(each.size for each in fed)
    if overlap and len(fed) > 1:
        problems.add("overlap of several inputs", "it is possible with one --input alone")
    new -= overlap
    if new < 1:
        problems.add(
            f"overlap {overlap} leaves nothing new of {new + overlap} numbers", "take less"
        )
    frame = options.input.frame
    if frame is not None and frame != new:
        problems.add(f"frame {frame}", f"a step of {fed[0].name} has {new} new numbers")
    names, inputs = _names(paired, options), original.inputs
    kept = tuple(
        moved
        for name, after in paired.state.items()
        if (moved := keep(inputs[name], after, names[name], axes[name], options, problems))
    )
    held = tuple(
        once
        for name in options.once
        if (once := hold(inputs[name], names[name], axes[name], options, problems))
    )
    given = tuple(
        output
        for name in paired.answers
        if (output := give(original, options, axes[name], name, names[name], problems))
    )
    step = take(options, max(new, 1), problems)
    state = [each.tensor for each in kept]
    if overlap:
        state.insert(0, _overlap(overlap))
    if not paired.state and not overlap:
        problems.add(*_no_state(original))
    problems.tell()
    assert step is not None
    rate = options.sample_rate_hz
    try:
        contract = Contract(
            input=step,
            outputs=tuple(each.output for each in given),
            sample_rate_hz=rate / new if rate and frame else rate,
            state=tuple(state),
            context=tuple(each.tensor for each in held),
        )
    except ValueError as error:
        raise ImportFailed([f"its contract: {field_errors(error)}"]) from error
    return Plan(contract, layout, fed, kept, held, given, overlap)


def _no_state(original: Original) -> tuple[str, str]:
    """What is wrong, and the mend."""
    layers = {node.op_type for node in all_nodes(original.model.graph)} & LAYERS
    if layers:
        return (
            f"its {' and '.join(sorted(layers))} begins anew with each run",
            "export it again with the initial state as an input and the last one as an output",
        )
    return (
        "it has no state: nothing goes on from step to step",
        "a stream needs one: --state INPUT=OUTPUT, or --overlap where it takes samples again",
    )


def _overlap(size: int) -> StateTensor:
    return StateTensor(
        name=OVERLAP, shape=(size,), dtype="float32", description="the samples before the next step"
    )


def _names(paired: Pairing, options: Options) -> dict[str, str]:
    """Names that the contract allows, each its own, like those of the file."""
    found: dict[str, str] = {}
    for name in (*paired.state, *options.once, *paired.answers):
        plain = re.sub(r"[^a-z0-9]+", "_", re.sub(r":\d+$", "", name).lower()).strip("_")
        plain = plain if plain[:1].isalpha() else f"tensor_{plain}"
        taken = {*_TAKEN, *found.values(), *(f"next_{each}" for each in found.values())}
        taken.add("state" if name in paired.answers else LOGITS)  # a key of the metrics, too
        free = plain[:80]
        for number in itertools.count(2):
            if free not in taken and f"next_{free}" not in taken:
                break
            free = f"{plain[:80]}_{number}"
        found[name] = free
    return found
