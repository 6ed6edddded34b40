"""What of a file fits what was said of it, as far as its axes are known; all else is told."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass

from larnn_export.importing.axes import Axes, count
from larnn_export.importing.carried import Held, Kept, hold, keep
from larnn_export.importing.described import Given, give, take
from larnn_export.importing.options import Options
from larnn_export.importing.original import LAYERS, Original, all_nodes
from larnn_export.importing.pairing import Pairing
from larnn_export.importing.problems import Problems
from larnn_service.contract import (
    ATTENTION,
    INPUT,
    LENGTHS,
    LOGITS,
    NEXT_ROWS,
    ROWS,
    Input,
    StateTensor,
    Vocabulary,
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
class Fitted:
    """What fits."""

    step: Input | None
    """None where it is not known, or does not fit."""
    vocabulary: Vocabulary | None
    """Of its tokens."""
    new: int
    """Numbers of a step that are not of its overlap."""
    fed: tuple[Fed, ...]
    kept: tuple[Kept, ...]
    held: tuple[Held, ...]
    given: tuple[Given, ...]

    def state(self, overlap: int) -> tuple[StateTensor, ...]:
        """Of the contract, with that many samples of the steps before."""
        before = (_overlap(overlap),) if overlap else ()
        return *before, *(each.tensor for each in self.kept)


def fit(
    original: Original,
    paired: Pairing,
    axes: Mapping[str, Axes],
    options: Options,
    problems: Problems,
) -> Fitted:
    """The tensors whose axes are known, as the contract has them. What does not fit is added to
    the problems."""
    names, inputs = _names(paired, options), original.inputs
    fed = tuple(Fed(name, axes[name], inputs[name].type) for name in paired.data if name in axes)
    new = sum(each.size for each in fed) - options.input.overlap
    kept = tuple(
        moved
        for name, after in paired.state.items()
        if name in axes
        if (moved := keep(inputs[name], after, names[name], axes[name], options, problems))
    )
    held = tuple(
        once
        for name in options.once
        if name in axes
        if (once := hold(inputs[name], names[name], axes[name], options, problems))
    )
    given = tuple(
        output
        for name in paired.answers
        if name in axes
        if (output := give(original, options, axes[name], name, names[name], problems))
    )
    step = _step(fed, new, options, problems) if len(fed) == len(paired.data) > 0 else None
    roles = {*paired.state, *paired.data, *options.constants, *options.once}
    if not paired.state and not options.input.overlap and roles >= {*inputs}:
        problems.add(*_no_state(original))
    tokens = options.input.tokens
    vocabulary = None if tokens is None else Vocabulary(size=tokens)
    return Fitted(step, vocabulary, new, fed, kept, held, given)


def _step(fed: tuple[Fed, ...], new: int, options: Options, problems: Problems) -> Input | None:
    overlap, frame = options.input.overlap, options.input.frame
    if overlap and len(fed) > 1:
        problems.add("overlap of several inputs", "it is possible with one --input alone")
    if new < 1:
        problems.add(
            f"overlap {overlap} leaves nothing new of {new + overlap} numbers", "take less"
        )
        return None
    if frame is not None and frame != new:
        problems.add(f"frame {frame}", f"a step of {fed[0].name} has {new} new numbers")
    return take(options, new, problems)


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
