"""A loop over the rows of a batch, for what takes one row at a time: none leans on another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from larnn_export.wrapping.nodes import Named, Nodes
from larnn_service.contract import INPUT, LENGTHS

ROW, LENGTH = "row.x", "row.length"
TRIP = "row.trip"
"""How many steps the row runs: its length, but one at least."""
COUNT, FRAME = "step.count", "step.frame"


@dataclass(frozen=True)
class RowState:
    """A state tensor: its names around the loop, and in its body, of one row [*shape]."""

    before: str
    after: str
    old: str
    type: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class RowOutput:
    """An output: its name around the loop, [batch, steps, *shape]."""

    outside: str
    type: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class StepState:
    """A state tensor of the loop over a row's steps: before it, in it old and new, and after it."""

    before: str
    old: str
    new: str
    after: str
    type: int
    shape: tuple[int, ...]


Row = Callable[[Nodes], tuple[list[str], list[str]]]
"""Writes what is done with a row [steps, …] up to TRIP: names of the outputs [TRIP, …], and of the
next states."""


def write_over_rows(
    nodes: Nodes,
    states: Sequence[RowState],
    outputs: Sequence[RowOutput],
    row: Row,
    x: str = INPUT,
    others: Sequence[tuple[str, str, int, tuple[int, ...]]] = (),
) -> None:
    """Put what `row` writes into a loop over axis 0 of `x` [batch, steps, …].

    `others` are further tensors [batch, *shape]: name around the loop, name in it, type, shape.
    """
    body = Nodes("row")
    empty = body.add("Equal", LENGTH, body.constant(0))
    body.add("Add", LENGTH, body.add("Cast", empty, to=TensorProto.INT64), name=TRIP)
    answers, news = row(body)
    padded = [_padded(body, name, each) for name, each in zip(answers, outputs, strict=True)]
    kept = [
        body.select(empty, state.old, new, state.type)
        for state, new in zip(states, news, strict=True)
    ]
    of_states: list[Named] = [(state.old, state.type, state.shape) for state in states]
    graph = body.graph(
        "row",
        [
            (ROW, TensorProto.FLOAT, None),
            (LENGTH, TensorProto.INT64, []),
            *of_states,
            *((inside, kind, shape) for _, inside, kind, shape in others),
        ],
        [
            *((k, s.type, s.shape) for k, s in zip(kept, states, strict=True)),
            *((p, o.type, (None, *o.shape)) for p, o in zip(padded, outputs, strict=True)),
        ],
    )
    nodes.nodes.append(
        helper.make_node(
            "Scan",
            [x, LENGTHS, *(state.before for state in states), *(other[0] for other in others)],
            [*(state.after for state in states), *(each.outside for each in outputs)],
            body=graph,
            num_scan_inputs=2 + len(states) + len(others),
        )
    )


def write_steps_of_row(
    body: Nodes,
    step: Nodes,
    states: Sequence[StepState],
    answers: Sequence[tuple[str, int, tuple[int, ...]]],
) -> list[str]:
    """Put `step` into a loop over TRIP steps of ROW, of which it takes FRAME: the names of its
    answers (name, type, shape) for each step."""
    frame = helper.make_node("Gather", [ROW, COUNT], [FRAME], axis=0)
    step.nodes.insert(0, frame)
    goes_on = step.add("Identity", "step.goes_on")
    of_states: list[Named] = [(state.old, state.type, state.shape) for state in states]
    graph = step.graph(
        "step",
        [(COUNT, TensorProto.INT64, []), ("step.goes_on", TensorProto.BOOL, []), *of_states],
        [
            (goes_on, TensorProto.BOOL, []),
            *((state.new, state.type, state.shape) for state in states),
            *answers,
        ],
    )
    collected = [f"row.collected_{index}" for index in range(len(answers))]
    body.nodes.append(
        helper.make_node(
            "Loop",
            [TRIP, "", *(state.before for state in states)],
            [*(state.after for state in states), *collected],
            body=graph,
        )
    )
    return collected


def _padded(body: Nodes, value: str, output: RowOutput) -> str:
    """[TRIP, …] with zeros behind it, as many as all rows have steps."""
    first = body.constant(np.array([0]))
    steps = body.add("Gather", body.add("Shape", ROW), first, axis=0)
    missing = body.add("Sub", steps, TRIP)
    shape = body.add("Concat", missing, body.constant(np.array(output.shape, np.int64)), axis=0)
    dtype = helper.tensor_dtype_to_np_dtype(output.type)
    zero = numpy_helper.from_array(np.zeros(1, dtype))
    return body.add("Concat", value, body.add("ConstantOfShape", shape, value=zero), axis=0)
