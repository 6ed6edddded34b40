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
from onnx.inliner import inline_local_functions
from torch import Tensor, nn

from larnn_export.module_error import PAGE, told_as
from larnn_export.wrapping.nodes import Nodes, tensor_type
from larnn_export.wrapping.over_steps import FRAME, Carried, Collected, write_over_steps
from larnn_export.wrapping.prefixed import prefixed
from larnn_export.wrapping.served_model import named, served_model
from larnn_service.contract import INPUT, LENGTHS, Contract, StateTensor, TensorSignature
from larnn_service.outputs import Output

STEP = "step."
"""Before every name inside the loop: no tensor of a contract can have a dot in its name."""


def build_stepped_graph(module: nn.Module, contract: Contract) -> onnx.ModelProto:
    """A graph of `contract` from a module in evaluation mode that has passed its trial.

    Called as module(x [batch, steps, channels], *state, *context), each of these tensors [batch,
    *shape] in the order of the contract, it gives (*outputs [batch, steps, …], *next state). The
    loop takes context from around it. Raises ModuleError.
    """
    step = _export_step(module, contract)
    with told_as("the exported step cannot stand in a loop", PAGE):
        inner = prefixed(step.graph, STEP)
    body, nodes = Nodes("loop"), Nodes("stepped")
    body.add("Unsqueeze", FRAME, body.constant([1]), name=STEP + INPUT)
    body.nodes.extend(inner.node)
    body.constants.extend(inner.initializer)
    for tensor in contract.context:
        nodes.add("Identity", tensor.name, name=STEP + tensor.name)
    collected = [_collected(body, output) for output in contract.outputs]
    carried = [_carried(tensor) for tensor in contract.state]
    write_over_steps(nodes, body, carried, collected, x_type=tensor_type(contract.input_dtype))
    graph = nodes.graph(
        "stepped",
        [named(signature) for signature in contract.expected_inputs()],
        [named(signature) for signature in contract.expected_outputs()],
    )
    return served_model(graph, contract, {"": step.opset_import[0].version}, step.ir_version)


def _collected(body: Nodes, output: Output) -> Collected:
    """The output of one step, which has no axis of steps in the loop."""
    inside = body.add("Squeeze", STEP + output.name, body.constant([1]))
    return Collected(output.name, inside, tensor_type(output.dtype), (None, *output.step_shape))


def _carried(tensor: StateTensor) -> Carried:
    return Carried(
        tensor.name,
        tensor.next_name,
        STEP + tensor.name,
        STEP + tensor.next_name,
        tensor_type(tensor.dtype),
        (None, *tensor.shape),
    )


def zero_step(contract: Contract, batch: int) -> tuple[Tensor, ...]:
    """One step of zeros from the initial state, told what a stream is told that says nothing: what
    the module is called with."""
    rows = {name: array[None].repeat(batch, 0) for name, array in contract.initial_state().items()}
    x = np.zeros((batch, 1, contract.input.width), contract.input_dtype)
    return tuple(torch.from_numpy(array) for array in (x, *rows.values()))


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
