"""Anybody's torch module as a graph: one step is exported, and put into a loop.

A module need not know of `lengths`: the loop stops each row's state where the row ends.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence

import onnx
import torch
from onnx import NodeProto, TensorProto
from onnx.inliner import inline_local_functions
from torch import Tensor, nn

from larnn_export.wrapping.nodes import Nodes, tensor_type
from larnn_export.wrapping.over_steps import FRAME, Carried, Collected, write_over_steps
from larnn_export.wrapping.prefixed import prefixed
from larnn_export.wrapping.served_model import named, served_model
from larnn_service.contract import INPUT, Contract
from larnn_service.outputs import Output

STEP = "step."
"""Before every name inside the loop: no tensor of a contract can have a dot in its name."""


class ModuleError(ValueError):
    """A module that does not take or give what its contract says; the text says which tensor."""


def build_stepped_graph(module: nn.Module, contract: Contract) -> onnx.ModelProto:
    """A graph of `contract` from a module in evaluation mode.

    Called as module(x [batch, steps, channels], *state), each state tensor [batch, *shape] in the
    order of the contract, it gives (answer [batch, steps, …], *next state). Raises ModuleError.
    """
    answer = answer_of(contract).name
    step = _export_step(module, contract)
    inner = prefixed(step.graph, STEP)
    body, nodes = Nodes("loop"), Nodes("stepped")
    body.add("Unsqueeze", FRAME, body.constant([1]), name=STEP + INPUT)
    body.nodes.extend(_plain(node) for node in inner.node)
    body.constants.extend(inner.initializer)
    answered = body.add("Squeeze", STEP + answer, body.constant([1]))
    carried = [
        Carried(
            tensor.name,
            tensor.next_name,
            STEP + tensor.name,
            STEP + tensor.next_name,
            tensor_type(tensor.dtype),
            (None, *tensor.shape),
        )
        for tensor in contract.state
    ]
    shape = (None, *answer_of(contract).step_shape)
    collected = [Collected(answer, answered, TensorProto.FLOAT, shape)]
    write_over_steps(nodes, body, carried, collected)
    graph = nodes.graph(
        "stepped",
        [named(signature) for signature in contract.expected_inputs()],
        [named(signature) for signature in contract.expected_outputs()],
    )
    return served_model(graph, contract, {"": step.opset_import[0].version}, step.ir_version)


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


def _plain(node: NodeProto) -> NodeProto:
    """Without the exporter's notes, which hold paths of the machine where it ran."""
    del node.metadata_props[:]
    node.doc_string = ""
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            for inner in graph.node:
                _plain(inner)
    return node
