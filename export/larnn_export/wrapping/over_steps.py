"""A loop over the steps of all rows: each row's state stops moving where the row ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from onnx import TensorProto, helper

from larnn_export.wrapping.nodes import Named, Nodes
from larnn_service.contract import INPUT, LENGTHS

COUNT, FRAME = "loop.count", "loop.frame"


@dataclass(frozen=True)
class Carried:
    """A state tensor: its names around the loop and in its body, where it is a step old and new."""

    before: str
    after: str
    old: str
    new: str
    type: int
    """ONNX's number for its dtype."""
    shape: tuple[int | None, ...]
    """With its batch axis, which is None."""


@dataclass(frozen=True)
class Collected:
    """An output: its name around the loop, [batch, steps, …], and in its body, [batch, …]."""

    outside: str
    inside: str
    type: int
    shape: tuple[int | None, ...]
    """In the body."""


def write_over_steps(
    nodes: Nodes,
    body: Nodes,
    carried: Sequence[Carried],
    collected: Sequence[Collected],
    x: str = INPUT,
    x_type: int = TensorProto.FLOAT,
) -> None:
    """Put `body` into a loop over axis 1 of `x` [batch, steps, …], of which it takes FRAME."""
    alive = body.add("Less", COUNT, LENGTHS)
    kept = [
        body.select(_along(body, alive, tensor), tensor.new, tensor.old, tensor.type)
        for tensor in carried
    ]
    counted = body.add("Add", COUNT, body.constant(1))
    inputs: list[Named] = [(tensor.old, tensor.type, tensor.shape) for tensor in carried]
    outputs: list[Named] = [(k, t.type, t.shape) for k, t in zip(kept, carried, strict=True)]
    graph = body.graph(
        "step",
        [*inputs, (COUNT, TensorProto.INT64, None), (FRAME, x_type, None)],
        [
            *outputs,
            (counted, TensorProto.INT64, None),
            *((each.inside, each.type, each.shape) for each in collected),
        ],
    )
    nodes.nodes.append(
        helper.make_node(
            "Scan",
            [*(tensor.before for tensor in carried), nodes.constant(0), x],
            [*(t.after for t in carried), "loop.steps", *(each.outside for each in collected)],
            body=graph,
            num_scan_inputs=1,
            scan_input_axes=[1],
            scan_output_axes=[1] * len(collected),
        )
    )


def _along(body: Nodes, alive: str, tensor: Carried) -> str:
    """Whether each row is still alive, [batch], as it stands beside the tensor."""
    shape = [1 if size is not None else -1 for size in tensor.shape]
    return alive if shape == [-1] else body.reshape(alive, shape)
