"""The axes of a file's tensors: what is told of them, and what the others may be."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.importing.arrays import exactly
from larnn_export.importing.options import Axis, Options
from larnn_export.importing.original import Original, Tensor
from larnn_export.importing.pairing import Pairing
from larnn_export.importing.problems import Problems

Axes = tuple[Axis, ...]
"""b and t where rows and steps stand, else a size."""
Open = tuple[int | str | None, ...]
"""Likewise, where what is not told is a name, or None."""
_TIME = re.compile(r"seq|time|^t$|len|step|frame", re.IGNORECASE)
_BATCH = re.compile(r"batch|^n$|^b$|^bs$", re.IGNORECASE)
_ROLES: dict[int, list[tuple[str, ...]]] = {
    0: [()],
    1: [("b",), ("t",)],
    2: [("b", "t"), ("t", "b")],
}
"""What so many open axes may be."""


def open_axes(
    original: Original, paired: Pairing, options: Options, problems: Problems
) -> dict[str, Open]:
    """What the file and the options tell of the axes of the inputs that are known; what is missing
    is added to the problems."""
    for name in options.constants:
        if name in original.inputs:
            try:
                _constant(original, options, name)
            except ValueError as error:
                problems.add(f"constant {original.inputs[name]}", f"{error}")
        if name in options.shapes:
            problems.add(
                f"constant {name}", "a --shape is for what has rows or steps: leave it out"
            )
    named = {
        original.inputs[name].shape[axis]  # type: ignore[index]
        for name in paired.state
        for axis in original.inputs[name].dynamic
    }
    found = {
        name: _of_data(original, original.inputs[name], named, options, problems)
        for name in paired.data
    }
    found |= {
        name: _of_state(original.inputs[name], options, problems)
        for name in (*paired.state, *options.once)
        if name in original.inputs
    }
    return {name: axes for name, axes in found.items() if axes is not None}


def sure(original: Original, paired: Pairing, axes: Mapping[str, Open]) -> dict[str, Axes]:
    """The tensors whose sizes are known before anything runs, b in place of every dynamic axis:
    those of `axes`, and outputs with the same dynamic axes as a step, by name; of others a tool may
    have written the sizes that it tried."""
    known = {
        name
        for tensor in paired.data
        for name, size in zip(
            original.inputs[tensor].shape or (), axes.get(tensor, ()), strict=False
        )
        if not isinstance(size, int)
    }
    found = {name: _as_state(shape) for name, shape in axes.items()}
    for name in paired.answers:
        shape = original.outputs[name].shape
        if shape is not None and {size for size in shape if not isinstance(size, int)} == known:
            found[name] = _as_state(shape)
    return found


def _of_data(
    original: Original, tensor: Tensor, named: set[Any], options: Options, problems: Problems
) -> Open | None:
    """Its axes, of which those that are not known stay open, or None where they cannot be known;
    `named` are states' dynamic axes."""
    said = options.shapes.get(tensor.name, tensor.shape)
    if said is None:
        problems.add(*_not_told(tensor))
        return None
    tokens = options.input.tokens is not None
    if tensor.whole and not tokens and all(not isinstance(s, int) or s == 1 for s in said):
        rows = original.table(tensor.name)
        mend = f"{rows}, the rows of its table" if rows else "1000"
        problems.add(
            f"{tensor} takes a whole number a step",
            f"say how many tokens there are: --tokens {mend}",
        )
        return None
    if tensor.name in options.shapes:
        return options.shapes[tensor.name]
    shape = [*said]
    frame, overlap = options.input.frame, options.input.overlap
    if not tokens and shape and not isinstance(shape[-1], int) and (shape[-1] or 0) not in named:
        if frame is None:
            problems.add(
                f"the last axis of {tensor} is dynamic",
                f"say how many numbers of it are new each step: --frame 512; or all of its shape, "
                f"b for rows and t for steps: --shape {tensor.name}=b,512",
            )
            return None
        shape[-1] = frame + overlap
    if len([size for size in shape if not isinstance(size, int)]) > 2:
        problems.add(
            f"{tensor} has more than two dynamic axes",
            f"give its shape, b for rows and t for steps: --shape {tensor.name}=b,t,40",
        )
        return None
    return tuple(shape)


def _of_state(tensor: Tensor, options: Options, problems: Problems) -> Open | None:
    if tensor.name in options.shapes:
        if "t" in (shape := options.shapes[tensor.name]):
            problems.add(f"state {tensor}", f"it has no steps, {[*shape]} has: give b alone")
            return None
        return shape
    if tensor.shape is None:
        problems.add(*_not_told(tensor))
        return None
    if len(tensor.dynamic) > 1:
        problems.add(
            f"state {tensor} has several dynamic axes",
            f"give its shape, b for rows: --shape {tensor.name}=2,b,128",
        )
        return None
    return tensor.shape


def _not_told(tensor: Tensor) -> tuple[str, str]:
    """What is wrong, and the mend."""
    return f"{tensor} has no shape", f"give it: --shape {tensor.name}=b,128"


def readings(axes: Mapping[str, Open], paired: Pairing) -> Iterator[dict[str, Axes]]:
    """What the open axes may be, the likely first."""
    states = {name: _as_state(axes[name]) for name in axes if name not in paired.data}
    has_rows = not states or any("b" in each for each in states.values())
    each = [list(_as_data(axes[name], has_rows)) for name in paired.data]
    for chosen in itertools.product(*each):
        yield {**dict(zip(paired.data, chosen, strict=True)), **states}


def _as_state(shape: Open) -> Axes:
    return tuple(size if isinstance(size, int) else "b" for size in shape)


def _as_data(shape: Open, has_rows: bool) -> Iterator[Axes]:
    fixed = ("b", "t")
    places = [i for i, s in enumerate(shape) if not isinstance(s, int) and s not in fixed]
    roles = _ROLES[len(places)]
    if not has_rows:
        roles = sorted(roles, key=lambda each: each != ("t",))
    score = {
        each: -sum(_fits(role, shape[i]) for role, i in zip(each, places, strict=True))
        for each in roles
    }
    for each in sorted(roles, key=lambda each: score[each]):
        read: list[Any] = list(shape)
        for place, role in zip(places, each, strict=True):
            read[place] = role
        yield tuple(read)


def _fits(role: str, name: int | str | None) -> int:
    """Whether a dynamic axis of that name has this role: 1, -1, or 0 where it tells nothing."""
    if not isinstance(name, str):
        return 0
    mine, other = (_TIME, _BATCH) if role == "t" else (_BATCH, _TIME)
    return int(bool(mine.search(name))) - int(bool(other.search(name)))


def sized(axes: Axes, batch: int, steps: int) -> tuple[int, ...]:
    """A shape with so many rows and steps."""
    return tuple({"b": batch, "t": steps}.get(axis, axis) for axis in axes)  # type: ignore[arg-type]


def features(axes: Axes) -> tuple[int, ...]:
    """Of one row and one step."""
    return tuple(axis for axis in axes if isinstance(axis, int))


def count(axes: Axes) -> int:
    """Of numbers of one row and one step."""
    return math.prod(features(axes))


def constants(original: Original, options: Options) -> dict[str, NDArray[Any]]:
    """The inputs that are the same for every step, as the file takes them."""
    return {name: _constant(original, options, name) for name in options.constants}


def _constant(original: Original, options: Options, name: str) -> NDArray[Any]:
    """Raises ValueError where its dtype does not have the number."""
    tensor = original.inputs[name]
    shape = tuple(size if isinstance(size, int) else 1 for size in tensor.shape or ())
    return np.full(shape, exactly(options.constants[name], tensor.dtype))
