"""The model that is served: the file's graph, in the loops that it needs."""

from __future__ import annotations

import onnx
from onnx import TensorProto

from larnn_export.importing.axes import sized
from larnn_export.importing.core import enter, leave, open_shape, types_of, write_core
from larnn_export.importing.overlap import write_overlap
from larnn_export.importing.plan import Plan
from larnn_export.importing.prepared import LENGTHS_32, NET, Prepared, told_lengths, without_weights
from larnn_export.wrapping.nodes import Nodes, tensor_type
from larnn_export.wrapping.over_rows import (
    FRAME,
    ROW,
    TRIP,
    Row,
    RowOutput,
    RowState,
    StepState,
    write_over_rows,
    write_steps_of_row,
)
from larnn_export.wrapping.over_steps import FRAME as FRAMES
from larnn_export.wrapping.over_steps import Carried, Collected, write_over_steps
from larnn_export.wrapping.served_model import IR_VERSION, named, served_model
from larnn_service.contract import INPUT, LENGTHS


def build_model(prepared: Prepared, plan: Plan, apart: bool = False) -> onnx.ModelProto:
    """A checked model of the plan's contract.

    Weights stand in the loop that uses them, where onnxruntime packs them for its products; `apart`
    puts them around it, as it must be where they go into a file of their own.
    """
    nodes = Nodes("import")
    if apart:
        nodes.constants.extend(prepared.graph.initializer)
        prepared = without_weights(prepared)
    x = INPUT
    if plan.contract.vocabulary is not None:
        x = nodes.cast(x, TensorProto.INT64, TensorProto.FLOAT)  # it counts them exactly
    if plan.overlap:
        x = write_overlap(nodes, plan.overlap, plan.contract.input.width)
    _WRITERS[plan.layout.rows, plan.layout.steps](nodes, prepared, plan, x)
    graph = nodes.graph(
        "imported",
        [named(signature) for signature in plan.contract.expected_inputs()],
        [named(signature) for signature in plan.contract.expected_outputs()],
    )
    ir_version = max(IR_VERSION, prepared.ir_version)
    return served_model(graph, plan.contract, prepared.opsets, ir_version)


def _loop_of_steps(nodes: Nodes, prepared: Prepared, plan: Plan, x: str) -> None:
    """All rows together, step by step."""
    body = Nodes("loop")
    for held in plan.held:  # a loop takes what stands around it
        enter(nodes, held, held.tensor.name, "together", NET + held.before)
    answers = write_core(body, prepared.graph, plan, FRAMES, "b")
    carried = [
        Carried(
            enter(nodes, kept, kept.tensor.name, "together"),
            f"loop.after_{kept.tensor.name}",
            NET + kept.before,
            NET + kept.after,
            kept.type,
            open_shape(kept.axes),
        )
        for kept in plan.kept
    ]
    collected = [
        Collected(given.output.name, answer, kind, (None, *given.output.step_shape))
        for given, answer, kind in zip(plan.given, answers, types_of(plan), strict=True)
    ]
    write_over_steps(nodes, body, carried, collected, x)
    for kept, state in zip(plan.kept, carried, strict=True):
        leave(nodes, kept, state.after, "together", kept.tensor.next_name)


def _whole(nodes: Nodes, prepared: Prepared, plan: Plan, x: str) -> None:
    """All rows together, all steps at once: the recurrent layers know the lengths."""
    nodes.add("Cast", LENGTHS, to=TensorProto.INT32, name=LENGTHS_32)
    for carried in plan.carried:
        enter(nodes, carried, carried.tensor.name, "together", NET + carried.before)
    answers = write_core(nodes, told_lengths(prepared.graph), plan, x, "bt")
    for given, answer in zip(plan.given, answers, strict=True):
        nodes.add("Identity", answer, name=given.output.name)
    moves = nodes.add("Less", nodes.constant(0), LENGTHS)
    for kept in plan.kept:
        new = leave(nodes, kept, NET + kept.after, "together")
        alive = nodes.reshape(moves, [-1, *(1 for _ in kept.tensor.shape)])
        kind = tensor_type(kept.tensor.dtype)
        moved = nodes.select(alive, new, kept.tensor.name, kind)
        nodes.add("Identity", moved, name=kept.tensor.next_name)


def _steps_of_each_row(nodes: Nodes, prepared: Prepared, plan: Plan, x: str) -> None:
    """Row by row, step by step."""

    def row(body: Nodes) -> tuple[list[str], list[str]]:
        step = Nodes("step")
        for held in plan.held:
            enter(body, held, f"row.{held.tensor.name}", "alone", NET + held.before)
        answers = write_core(step, prepared.graph, plan, FRAME, "")
        states = [
            StepState(
                enter(body, kept, f"row.{kept.tensor.name}", "alone"),
                NET + kept.before,
                NET + kept.after,
                f"row.after_{kept.tensor.name}",
                kept.type,
                sized(kept.axes, 1, 1),
            )
            for kept in plan.kept
        ]
        shapes = (given.output.step_shape for given in plan.given)
        told = [*zip(answers, types_of(plan), shapes, strict=True)]
        collected = write_steps_of_row(body, step, states, told)
        news = [
            leave(body, kept, state.after, "alone")
            for kept, state in zip(plan.kept, states, strict=True)
        ]
        return collected, news

    _over_rows(nodes, plan, row, x)


def _each_row_whole(nodes: Nodes, prepared: Prepared, plan: Plan, x: str) -> None:
    """Row by row, all of its steps at once."""

    def row(body: Nodes) -> tuple[list[str], list[str]]:
        first, axis = body.constant([0]), body.constant([0])
        steps = body.add("Slice", ROW, first, body.reshape(TRIP, [1]), axis)
        for carried in plan.carried:
            name = f"row.{carried.tensor.name}"
            enter(body, carried, name, "alone", NET + carried.before)
        answers = write_core(body, prepared.graph, plan, steps, "t")
        return answers, [leave(body, kept, NET + kept.after, "alone") for kept in plan.kept]

    _over_rows(nodes, plan, row, x)


def _over_rows(nodes: Nodes, plan: Plan, row: Row, x: str) -> None:
    states = [
        RowState(
            kept.tensor.name,
            kept.tensor.next_name,
            f"row.{kept.tensor.name}",
            tensor_type(kept.tensor.dtype),
            kept.tensor.shape,
        )
        for kept in plan.kept
    ]
    outputs = [
        RowOutput(given.output.name, kind, given.output.step_shape)
        for given, kind in zip(plan.given, types_of(plan), strict=True)
    ]
    others = [
        (name, f"row.{name}", tensor_type(held.tensor.dtype), held.tensor.shape)
        for held in plan.held
        for name in [held.tensor.name]
    ]
    write_over_rows(nodes, states, outputs, row, x, others)


_WRITERS = {
    ("together", "one"): _loop_of_steps,
    ("together", "whole"): _whole,
    ("alone", "one"): _steps_of_each_row,
    ("alone", "whole"): _each_row_whole,
}
