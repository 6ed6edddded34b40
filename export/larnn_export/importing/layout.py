"""Where the rows and the steps stand in each tensor of a file: guessed, then tried.

A file tells names for dynamic axes at best, and often wrong ones. So every reading that its shapes
allow is run with zeros, with more rows and more steps than one, and what comes out must have them.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from larnn_export.importing.options import Axis, Options
from larnn_export.importing.original import Original, RunFailed, Tensor
from larnn_export.importing.pairing import Pairing
from larnn_export.importing.problems import ImportFailed, Problems

Axes = tuple[Axis, ...]
Rows = Literal["together", "alone"]
Steps = Literal["whole", "one"]
_TIME = re.compile(r"seq|time|^t$|len|step|frame", re.IGNORECASE)
_BATCH = re.compile(r"batch|^n$|^b$|^bs$", re.IGNORECASE)
_ROLES: dict[int, list[tuple[str, ...]]] = {
    0: [()],
    1: [("b",), ("t",)],
    2: [("b", "t"), ("t", "b")],
}
"""What so many open axes may be."""
_SIZES: tuple[tuple[int, int], ...] = ((2, 1), (3, 1), (2, 5))
"""Rows and steps of the runs that tell them apart."""


@dataclass(frozen=True)
class Layout:
    """How the file is run, and the axes of each of its tensors then."""

    rows: Rows
    steps: Steps
    axes: Mapping[str, Axes]
    """Of inputs and outputs: b and t where rows and steps stand, else a size."""
    why: str = ""
    """Why it is run otherwise than its shapes promise."""


def open_axes(
    original: Original, paired: Pairing, options: Options, problems: Problems
) -> dict[str, Open]:
    """What the file and the options tell of the axes; what is missing is added to the problems."""
    named = {
        original.inputs[name].shape[axis]  # type: ignore[index]
        for name in paired.state
        for axis in original.inputs[name].dynamic
    }
    of_data = {
        name: _of_data(original.inputs[name], named, options, problems) for name in paired.data
    }
    return of_data | {
        name: _of_state(original.inputs[name], options, problems)
        for name in (*paired.state, *options.once)
        if name in original.inputs
    }


def find_layouts(
    original: Original, paired: Pairing, axes: Mapping[str, Open], options: Options
) -> Iterator[Layout]:
    """The first reading of the axes that runs: with all rows together, and with each alone.

    Raises ImportFailed where none does.
    """
    failed: list[str] = []
    for reading in _readings(axes, paired):
        runs = False
        for rows in _rows(reading, options):
            try:
                found = _try(original, paired, options, reading, rows)
            except RunFailed as error:
                failed.append(str(error))
                continue
            why = failed[-1] if failed and rows == "alone" else ""
            layout = _at_once(Layout(rows, "whole", found, why), paired, options)
            if options.steps in (None, layout.steps):
                runs = True
                yield layout
        if runs:
            return
    if failed:
        told = ", ".join(str(original.inputs[name]) for name in axes)
        raise ImportFailed(
            [
                f"no reading of its inputs ({told}) runs: {failed[0]}: "
                "give their shapes, b for rows and t for steps: --shape NAME=b,t,40"
            ]
        )


Open = tuple[int | str | None, ...]


def _of_data(tensor: Tensor, named: set[Any], options: Options, problems: Problems) -> Open:
    """Its axes, of which those that are not known stay open; `named` are states' dynamic axes."""
    if tensor.name in options.shapes:
        return options.shapes[tensor.name]
    shape = [*_told(tensor, problems)]
    frame, context = options.input.frame, options.input.context
    if shape and not isinstance(shape[-1], int) and (shape[-1] or 0) not in named:
        if frame is None:
            problems.add(
                f"the last axis of {tensor} is dynamic",
                f"say how many numbers of it are new each step: --frame 512; or all of its shape, "
                f"b for rows and t for steps: --shape {tensor.name}=b,512",
            )
        shape[-1] = (frame or 1) + context
    if len([size for size in shape if not isinstance(size, int)]) > 2:
        problems.add(
            f"{tensor} has more than two dynamic axes",
            f"give its shape, b for rows and t for steps: --shape {tensor.name}=b,t,40",
        )
    return tuple(shape)


def _of_state(tensor: Tensor, options: Options, problems: Problems) -> Open:
    if tensor.name in options.shapes:
        return options.shapes[tensor.name]
    if len(tensor.dynamic) > 1:
        problems.add(
            f"state {tensor} has several dynamic axes",
            f"give its shape, b for rows: --shape {tensor.name}=2,b,128",
        )
    return _told(tensor, problems)


def _told(tensor: Tensor, problems: Problems) -> Open:
    if tensor.shape is None:
        problems.add(f"{tensor} has no shape", f"give it: --shape {tensor.name}=b,128")
    return tensor.shape or ()


def _readings(axes: Mapping[str, Open], paired: Pairing) -> Iterator[dict[str, Axes]]:
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


def _rows(reading: Mapping[str, Axes], options: Options) -> list[Rows]:
    can = all("b" in axes for axes in reading.values())
    wanted: list[Rows] = ["together", "alone"] if can else ["alone"]
    return [rows for rows in wanted if options.rows in (None, rows)]


def _try(
    original: Original,
    paired: Pairing,
    options: Options,
    reading: Mapping[str, Axes],
    rows: Rows,
) -> dict[str, Axes]:
    """The axes of every tensor in this reading. Raises RunFailed where it does not run."""
    has_time = any("t" in reading[name] for name in paired.data)
    names = [*paired.answers, *paired.state.values()]
    shapes: list[dict[str, tuple[int, ...]]] = []
    sizes = _SIZES if has_time else _SIZES[:2]
    if rows == "alone":
        sizes = tuple(dict.fromkeys((1, steps) for _, steps in sizes))
    for batch, steps in sizes:
        feeds = constants(original, options)
        for name, axes in reading.items():
            shape = sized(axes, batch, steps)
            feeds[name] = np.zeros(shape, original.inputs[name].dtype)
        given = original.run(names, feeds)
        shapes.append({name: array.shape for name, array in given.items()})
    found = dict(reading)
    for name in names:
        found[name] = _told_by([each[name] for each in shapes], sizes, name)
    for name, output in paired.state.items():
        if any(sized(found[output], *size) != sized(found[name], *size) for size in sizes):
            raise RunFailed(f"{output} {[*found[output]]} is no next {name} {[*found[name]]}")
    if rows == "together":
        for name in names:
            if "b" not in found[name]:
                raise RunFailed(f"{name} does not have the batch's rows")
    return found


def _told_by(shapes: list[tuple[int, ...]], sizes: tuple[tuple[int, int], ...], name: str) -> Axes:
    """The axes of an output, of which those that followed the rows or the steps are b and t."""
    if len({len(shape) for shape in shapes}) > 1:
        raise RunFailed(f"{name} has another rank with more rows")
    axes: list[Axis] = []
    for seen in zip(*shapes, strict=True):
        if len(set(seen)) == 1:
            axes.append(seen[0])
        elif seen == tuple(batch for batch, _ in sizes):
            axes.append("b")
        elif seen == tuple(steps for _, steps in sizes):
            axes.append("t")
        else:
            raise RunFailed(f"an axis of {name} grows otherwise than rows and steps: {[*seen]}")
    return tuple(axes)


def _at_once(layout: Layout, paired: Pairing, options: Options) -> Layout:
    """Whole sequences where it takes and gives them, else one step a time."""
    takes = all("t" in layout.axes[name] for name in (*paired.data, *paired.answers))
    if takes and options.steps != "one":
        return layout
    one = {n: tuple(1 if a == "t" else a for a in axes) for n, axes in layout.axes.items()}
    return Layout(layout.rows, "one", one, layout.why)


def sized(axes: Axes, batch: int, steps: int) -> tuple[int, ...]:
    """A shape with so many rows and steps."""
    return tuple({"b": batch, "t": steps}.get(axis, axis) for axis in axes)  # type: ignore[arg-type]


def features(axes: Axes) -> tuple[int, ...]:
    """Of one row and one step."""
    return tuple(axis for axis in axes if isinstance(axis, int))


def count(axes: Axes) -> int:
    """Of numbers of one row and one step."""
    return math.prod(features(axes))


def constants(original: Original, options: Options) -> dict[str, Any]:
    """The inputs that are the same for every step, as the file takes them."""
    feeds = {}
    for name, value in options.constants.items():
        tensor = original.inputs[name]
        shape = tuple(size if isinstance(size, int) else 1 for size in tensor.shape or ())
        feeds[name] = np.full(shape, value, tensor.dtype)
    return feeds
