"""Anybody's torch module as a graph: one step is exported, and put into a loop.

A module need not know of `lengths`: the loop stops each row's state where the row ends.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence

import numpy as np
import onnx
import torch
from onnx import GraphProto, NodeProto, TensorProto, helper
from onnx.compose import add_prefix_graph
from onnx.inliner import inline_local_functions
from torch import Tensor, nn

from larnn_export.families.builder import Pen
from larnn_export.graph.model import model_of
from larnn_service.contract import INPUT, LENGTHS, Contract, StateTensor
from larnn_service.outputs import Output

STEP = "step."
"""Before every name inside the loop: no tensor of a contract can have a dot in its name."""
COUNT, FRAME = "loop.count", "loop.frame"


class ModuleError(ValueError):
    """A module that does not take or give what its contract says; the text says which tensor."""


def build_stepped_graph(module: nn.Module, contract: Contract) -> onnx.ModelProto:
    """A graph of `contract` from a module in evaluation mode.

    Called as module(x [batch, steps, channels], *state), each state tensor [batch, *shape] in the
    order of the contract, it gives (answer [batch, steps, …], *next state). Raises ModuleError.
    """
    answer = answer_of(contract).name
    step = _export_step(module, contract)
    body = _body(add_prefix_graph(step.graph, STEP), contract.state, answer)
    names = [tensor.name for tensor in contract.state]
    pen = Pen()
    loop = helper.make_node(
        "Scan",
        [*names, pen.constant(0), INPUT],
        [*(tensor.next_name for tensor in contract.state), "loop.steps", answer],
        body=body,
        num_scan_inputs=1,
        scan_input_axes=[1],
        scan_output_axes=[1],
    )
    pen.nodes.append(loop)
    return model_of(pen, contract, "stepped", step.opset_import[0].version, step.ir_version)


def answer_of(contract: Contract) -> Output:
    """The one output of a module. Raises ModuleError where the contract names others."""
    answer, *others = contract.outputs
    if others or answer.dtype != "float32":
        told = ", ".join(f"{output.name} ({output.dtype})" for output in contract.outputs)
        raise ModuleError(f"a module gives one output of float32; the contract has {told}")
    return answer


def zero_step(contract: Contract, batch: int) -> tuple[Tensor, ...]:
    """One step of zeros from the initial state: what the module is called with."""
    state = (torch.from_numpy(tensor.initial_array(batch)) for tensor in contract.state)
    return (torch.zeros(batch, 1, contract.input.width), *state)


def _export_step(module: nn.Module, contract: Contract) -> onnx.ModelProto:
    arguments = zero_step(contract, 2)
    _check(module, contract, arguments)
    with _quiet():
        program = torch.onnx.export(
            module,
            arguments,
            dynamo=True,
            dynamic_shapes=tuple({0: torch.export.Dim.DYNAMIC} for _ in arguments),
            input_names=[INPUT, *(tensor.name for tensor in contract.state)],
            output_names=[
                answer_of(contract).name,
                *(tensor.next_name for tensor in contract.state),
            ],
            verbose=False,
        )
    assert program is not None
    step: onnx.ModelProto = inline_local_functions(program.model_proto)
    return step


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of torch and of packages that it does not need."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except torch.onnx.OnnxExporterError as error:
        reason = error.__cause__ or error
        raise ModuleError(f"torch cannot export the module: {reason}") from error
    finally:
        logger.setLevel(level)


def _check(module: nn.Module, contract: Contract, arguments: Sequence[Tensor]) -> None:
    """Raise ModuleError, naming the tensor, unless the module gives what the contract says."""
    try:
        with torch.no_grad():
            given = module(*arguments)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        shapes = ", ".join(str(list(tensor.shape)) for tensor in arguments)
        raise ModuleError(f"the module does not take tensors {shapes}: {error}") from error
    expected = contract.expected_outputs()
    if not isinstance(given, tuple | list) or len(given) != len(expected):
        names = ", ".join(signature.name for signature in expected)
        raise ModuleError(f"the module must give ({names}), each a tensor")
    for tensor, signature in zip(given, expected, strict=True):
        dynamic = iter((2, 1))  # the batch and the steps of `arguments`
        shape = [next(dynamic) if size is None else size for size in signature.shape]
        found = f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
        if found != f"{signature.dtype} {shape}":
            raise ModuleError(f"{signature.name} is {found}, not {signature.dtype} {shape}")


def _body(step: GraphProto, state: Sequence[StateTensor], answer: str) -> GraphProto:
    """What the loop does: a step, then each row's next state, or its old one past its length."""
    nodes = [
        helper.make_node("Unsqueeze", [FRAME, "loop.axis"], [STEP + INPUT]),
        *(_plain(node) for node in step.node),
        helper.make_node("Squeeze", [STEP + answer, "loop.axis"], ["loop.answer"]),
        helper.make_node("Less", [COUNT, LENGTHS], ["loop.alive"]),
        helper.make_node("Add", [COUNT, "loop.one"], ["loop.counted"]),
    ]
    for tensor in state:
        alive, axes = "loop.alive", list(range(1, 1 + len(tensor.shape)))
        if axes:
            alive = f"loop.alive_{tensor.name}"
            axes_name = f"loop.axes.{tensor.name}"
            nodes.append(helper.make_node("Constant", [], [axes_name], value_ints=axes))
            nodes.append(helper.make_node("Unsqueeze", ["loop.alive", axes_name], [alive]))
        chosen = [alive, STEP + tensor.next_name, STEP + tensor.name]
        nodes.append(helper.make_node("Where", chosen, [f"loop.kept.{tensor.name}"]))
    carried = [(STEP + t.name, f"loop.kept.{t.name}", _dtype(t)) for t in state]
    carried.append((COUNT, "loop.counted", TensorProto.INT64))
    constants = [
        helper.make_tensor("loop.axis", TensorProto.INT64, [1], [1]),
        helper.make_tensor("loop.one", TensorProto.INT64, [], [1]),
    ]
    return helper.make_graph(
        nodes,
        "step",
        [helper.make_tensor_value_info(name, dtype, None) for name, _, dtype in carried]
        + [helper.make_tensor_value_info(FRAME, TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info(name, dtype, None) for _, name, dtype in carried]
        + [helper.make_tensor_value_info("loop.answer", TensorProto.FLOAT, None)],
        [*step.initializer, *constants],
    )


def _dtype(tensor: StateTensor) -> int:
    return helper.np_dtype_to_tensor_dtype(np.dtype(tensor.dtype))


def _plain(node: NodeProto) -> NodeProto:
    """Without the exporter's notes, which hold paths of the machine where it ran."""
    del node.metadata_props[:]
    node.doc_string = ""
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                _plain(inner)
    return node
