"""The file's nodes with the contract's tensors around them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import GraphProto, TensorProto

from larnn_export.importing.axes import Axes, features, sized
from larnn_export.importing.carried import Held, Kept
from larnn_export.importing.described import Given
from larnn_export.importing.fitted import Fed
from larnn_export.importing.plan import Plan
from larnn_export.importing.prepared import NET
from larnn_export.wrapping.nodes import Nodes, tensor_type


def write_core(body: Nodes, graph: GraphProto, plan: Plan, x: str, lead: str) -> list[str]:
    """Write the file's nodes: the names of its answers [lead…, *step shape].

    `x` [lead…, numbers of a step] is float32; `lead` says which of b and t come before. The states
    must be there as the file takes them, under its own names behind NET.
    """
    start = 0
    for fed in plan.fed:
        _feed(body, fed, _part(body, plan, x, start, fed.size), lead)
        start += fed.size
    body.nodes.extend(graph.node)
    body.constants.extend(graph.initializer)
    return [_answer(body, given, lead) for given in plan.given]


def _part(body: Nodes, plan: Plan, x: str, start: int, size: int) -> str:
    if len(plan.fed) == 1:
        return x
    bounds = [body.constant(np.array([each])) for each in (start, start + size, -1)]
    return body.add("Slice", x, *bounds)


def _feed(body: Nodes, fed: Fed, x: str, lead: str) -> None:
    shape = [*_leading(fed.axes, lead), *features(fed.axes)]
    ordered = body.transpose(body.reshape(x, shape), _order(fed.axes))
    cast = body.cast(ordered, TensorProto.FLOAT, fed.type)
    body.add("Identity", cast, name=NET + fed.name)


def _answer(body: Nodes, given: Given, lead: str) -> str:
    order = [given.axes.index(role) for role in _roles(given.axes)]
    order += [i for i, axis in enumerate(given.axes) if isinstance(axis, int)]
    ordered = body.transpose(NET + given.name, order)
    roles = _roles(given.axes)
    shape = [0 if i < len(roles) and roles[i] == role else -1 for i, role in enumerate(lead)]
    flat = body.reshape(ordered, [*shape, *given.output.step_shape])
    return body.cast(flat, given.type, tensor_type(given.output.dtype))


def _roles(axes: Axes) -> list[str]:
    return [role for role in "bt" if role in axes]


def _leading(axes: Axes, lead: str) -> list[int]:
    """The first axes of a tensor whose rows and steps come first: as in x, or one."""
    roles = _roles(axes)
    keeps = [i < len(lead) and lead[i] == role for i, role in enumerate(roles)]
    return [
        0 if keep else -1 if role in lead else 1 for keep, role in zip(keeps, roles, strict=True)
    ]


def _order(axes: Axes) -> list[int]:
    """The permutation from rows, steps, rest to the file's own order."""
    roles = _roles(axes)
    rest = iter(range(len(roles), len(axes)))
    return [roles.index(axis) if isinstance(axis, str) else next(rest) for axis in axes]


def enter(nodes: Nodes, kept: Kept | Held, value: str, rows: str, name: str | None = None) -> str:
    """A carried tensor of the contract as the file takes it, of all rows or of one."""
    if rows == "alone":
        value = nodes.reshape(value, sized(kept.axes, 1, 1))
    else:
        at = kept.axes.index("b")
        rest = list(range(1, len(kept.axes)))
        value = nodes.transpose(value, [*rest[:at], 0, *rest[at:]])
    value = nodes.cast(value, tensor_type(kept.tensor.dtype), kept.type)
    return value if name is None else nodes.add("Identity", value, name=name)


def leave(nodes: Nodes, kept: Kept, value: str, rows: str, name: str | None = None) -> str:
    """A state of the file as the contract has it."""
    if rows == "alone":
        value = nodes.reshape(value, kept.tensor.shape)
    else:
        at = kept.axes.index("b")
        value = nodes.transpose(value, [at, *(i for i in range(len(kept.axes)) if i != at)])
    value = nodes.cast(value, kept.type, tensor_type(kept.tensor.dtype))
    return value if name is None else nodes.add("Identity", value, name=name)


def open_shape(axes: Axes) -> tuple[int | None, ...]:
    """As a shape whose rows are not told."""
    return tuple(axis if isinstance(axis, int) else None for axis in axes)


def types_of(plan: Plan) -> Sequence[int]:
    """ONNX's numbers for the dtypes of the contract's outputs."""
    return [tensor_type(given.output.dtype) for given in plan.given]
