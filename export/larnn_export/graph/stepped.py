"""Anybody's torch module as a graph: one step is exported, and put into a loop.

A module need not know of `lengths`: the loop stops each row's state where the row ends.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import numpy as np
import onnx
import torch
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper
from onnx.inliner import inline_local_functions
from torch import Tensor, nn

from larnn_export.families.builder import Pen, element_type
from larnn_export.graph.model import model_of
from larnn_export.graph.renamed import prefixed
from larnn_export.module_error import PAGE, told_as
from larnn_service.contract import INPUT, LENGTHS, Contract, StateTensor, TensorSignature

STEP = "step."
"""Before every name inside the loop: no tensor of a contract can have a dot in its name."""
CHOSEN_AS = {"float16": "float32", "uint32": "int64", "uint64": "int64"} | dict.fromkeys(
    ("bool", "int8", "int16", "uint16"), "int32"
)
"""onnxruntime's Where takes few types on a CPU: the others are cast to these, bits and all."""
COUNT, FRAME = "loop.count", "loop.frame"


def build_stepped_graph(module: nn.Module, contract: Contract) -> onnx.ModelProto:
    """A graph of `contract` from a module in evaluation mode that has passed its trial.

    Called as module(x [batch, steps, channels], *state), each state tensor [batch, *shape] in the
    order of the contract, it gives (*outputs [batch, steps, …], *next state). Raises ModuleError.
    """
    step = _export_step(module, contract)
    names = [tensor.name for tensor in contract.state]
    pen = Pen()
    loop = helper.make_node(
        "Scan",
        [*names, pen.constant(0), INPUT],
        [
            *(tensor.next_name for tensor in contract.state),
            "loop.steps",
            *(output.name for output in contract.outputs),
        ],
        body=_body(prefixed(step.graph, STEP), contract),
        num_scan_inputs=1,
        scan_input_axes=[1],
        scan_output_axes=[1] * len(contract.outputs),
    )
    pen.nodes.append(loop)
    return model_of(pen, contract, "stepped", step.opset_import[0].version, step.ir_version)


def zero_step(contract: Contract, batch: int) -> tuple[Tensor, ...]:
    """One step of zeros from the initial state: what the module is called with."""
    state = (torch.from_numpy(tensor.initial_array(batch)) for tensor in contract.state)
    x = np.zeros((batch, 1, contract.input.width), contract.input_dtype)
    return (torch.from_numpy(x), *state)


def _export_step(module: nn.Module, contract: Contract) -> onnx.ModelProto:
    arguments = zero_step(contract, 2)
    with _quiet(), told_as("torch cannot export the module", PAGE):
        program = torch.onnx.export(
            module,
            arguments,
            dynamo=True,
            dynamic_shapes=tuple({0: torch.export.Dim.DYNAMIC} for _ in arguments),
            input_names=[signature.name for signature in _without_lengths(contract)],
            output_names=[signature.name for signature in contract.expected_outputs()],
            verbose=False,
        )
        assert program is not None
        step: onnx.ModelProto = inline_local_functions(program.model_proto)
    return step


def _without_lengths(contract: Contract) -> list[TensorSignature]:
    return [signature for signature in contract.expected_inputs() if signature.name != LENGTHS]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of torch, of packages that it does not need, and of graphs."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            warnings.catch_warnings(),
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)


def _body(step: GraphProto, contract: Contract) -> GraphProto:
    """What the loop does: a step, then each row's next state, or its old one past its length."""
    nodes = [
        helper.make_node("Unsqueeze", [FRAME, "loop.axis"], [STEP + INPUT]),
        *step.node,
        helper.make_node("Less", [COUNT, LENGTHS], ["loop.alive"]),
        helper.make_node("Add", [COUNT, "loop.one"], ["loop.counted"]),
    ]
    for output in contract.outputs:
        squeezed = [STEP + output.name, "loop.axis"], [f"loop.answer.{output.name}"]
        nodes.append(helper.make_node("Squeeze", *squeezed))
    for tensor in contract.state:
        alive, axes = "loop.alive", list(range(1, 1 + len(tensor.shape)))
        if axes:
            alive = f"loop.alive_{tensor.name}"
            axes_name = f"loop.axes.{tensor.name}"
            nodes.append(helper.make_node("Constant", [], [axes_name], value_ints=axes))
            nodes.append(helper.make_node("Unsqueeze", ["loop.alive", axes_name], [alive]))
        nodes.extend(_kept(tensor, alive))
    carried = [(STEP + t.name, f"loop.kept.{t.name}", t.dtype) for t in contract.state]
    carried.append((COUNT, "loop.counted", "int64"))
    constants = [
        helper.make_tensor("loop.axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("loop.one", TensorProto.INT64, [], [1]),
    ]
    return helper.make_graph(
        nodes,
        "step",
        [_typed(name, dtype) for name, _, dtype in carried] + [_typed(FRAME, contract.input_dtype)],
        [_typed(name, dtype) for _, name, dtype in carried]
        + [_typed(f"loop.answer.{output.name}", output.dtype) for output in contract.outputs],
        [*step.initializer, *constants],
        sparse_initializer=step.sparse_initializer,
    )


def _kept(tensor: StateTensor, alive: str) -> list[NodeProto]:
    """Its next value where the row is alive, else its old one."""
    next_name, name, kept = STEP + tensor.next_name, STEP + tensor.name, f"loop.kept.{tensor.name}"
    if (wide := CHOSEN_AS.get(tensor.dtype)) is None:
        return [helper.make_node("Where", [alive, next_name, name], [kept])]
    return [
        helper.make_node("Cast", [next_name], [f"{next_name}.wide"], to=element_type(wide)),
        helper.make_node("Cast", [name], [f"{name}.wide"], to=element_type(wide)),
        helper.make_node("Where", [alive, f"{next_name}.wide", f"{name}.wide"], [f"{kept}.wide"]),
        helper.make_node("Cast", [f"{kept}.wide"], [kept], to=element_type(tensor.dtype)),
    ]


def _typed(name: str, dtype: str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, element_type(dtype), None)
