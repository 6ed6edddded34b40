"""Where the rows and the steps stand in each tensor of a file: guessed, then tried.

A file tells names for dynamic axes at best, and often wrong ones. So every reading that its shapes
allow is run with zeros, with more rows and more steps than one, and what comes out must have them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from larnn_export.importing.axes import Axes, Open, constants, readings, sized
from larnn_export.importing.options import Axis, Options
from larnn_export.importing.original import Original
from larnn_export.importing.pairing import Pairing
from larnn_export.importing.problems import Problems
from larnn_export.onnx_run import RunError

Rows = Literal["together", "alone"]
Steps = Literal["whole", "one"]
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


def find_layouts(
    original: Original,
    paired: Pairing,
    axes: Mapping[str, Open],
    options: Options,
    problems: Problems,
) -> list[Layout]:
    """The first reading of the axes that runs: with all rows together, and with each alone. Where
    none does, that is added to the problems."""
    failed: list[str] = []
    for reading in readings(axes, paired):
        found: list[Layout] = []
        for rows in _rows(reading, options):
            try:
                tried = _try(original, paired, options, reading, rows)
            except RunError as error:
                failed.append(str(error))
                continue
            why = failed[-1] if failed and rows == "alone" else ""
            layout = _at_once(Layout(rows, "whole", tried, why), paired, options)
            if options.steps in (None, layout.steps):
                found.append(layout)
        if found:
            return found
    if failed:
        told = ", ".join(str(original.inputs[name]) for name in axes)
        problems.add(
            f"no reading of its inputs ({told}) runs: {failed[0]}",
            "give their shapes, b for rows and t for steps: --shape NAME=b,t,40",
        )
    else:
        problems.add("no reading of it runs as --rows and --steps say", "leave them out")
    return []


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
    """The axes of every tensor in this reading. Raises RunError where it does not run."""
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
            raise RunError(f"{output} {[*found[output]]} is no next {name} {[*found[name]]}")
    if rows == "together":
        for name in names:
            if "b" not in found[name]:
                raise RunError(f"{name} does not have the batch's rows")
    return found


def _told_by(shapes: list[tuple[int, ...]], sizes: tuple[tuple[int, int], ...], name: str) -> Axes:
    """The axes of an output, of which those that followed the rows or the steps are b and t."""
    if len({len(shape) for shape in shapes}) > 1:
        raise RunError(f"{name} has another rank with more rows")
    axes: list[Axis] = []
    for seen in zip(*shapes, strict=True):
        if len(set(seen)) == 1:
            axes.append(seen[0])
        elif seen == tuple(batch for batch, _ in sizes):
            axes.append("b")
        elif seen == tuple(steps for _, steps in sizes):
            axes.append("t")
        else:
            raise RunError(f"an axis of {name} grows otherwise than rows and steps: {[*seen]}")
    return tuple(axes)


def _at_once(layout: Layout, paired: Pairing, options: Options) -> Layout:
    """Whole sequences where it takes and gives them, else one step a time."""
    takes = all("t" in layout.axes[name] for name in (*paired.data, *paired.answers))
    if takes and options.steps != "one":
        return layout
    one = {n: tuple(1 if a == "t" else a for a in axes) for n, axes in layout.axes.items()}
    return Layout(layout.rows, "one", one, layout.why)
