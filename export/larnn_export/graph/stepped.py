"""Anybody's torch module as a graph: one step is exported, and put into a loop.

A module need not know of `lengths`: the loop stops each row's state where the row ends.
"""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx.inliner import inline_local_functions
from torch import Tensor, nn

from larnn_export.module_error import PAGE, told_as
from larnn_export.wrapping.nodes import Nodes, tensor_type
from larnn_export.wrapping.over_steps import FRAME, Carried, Collected, write_over_steps
from larnn_export.wrapping.prefixed import prefixed
from larnn_export.wrapping.served_model import named, served_model
from larnn_service.contract import INPUT, LENGTHS, Contract, StateTensor, TensorSignature
from larnn_service.outputs import Output
from larnn_service.tensors import CarriedTensor

STEP = "step."
"""Before every name inside the loop: no tensor of a contract can have a dot in its name."""


Starts = Mapping[str, NDArray[Any]]
"""What state tensors begin with, [*shape] by their names, where a file says it."""


def build_stepped_graph(
    module: nn.Module, contract: Contract, starts: Starts = MappingProxyType({})
) -> onnx.ModelProto:
    """A graph of `contract` from a module in evaluation mode that has passed its trial.

    Called as module(x [batch, steps, channels], *state, *context), each of these tensors [batch,
    *shape] in the order of the contract, it gives (*outputs [batch, steps, …], *next state). The
    loop takes context from around it. Raises ModuleError.
    """
    step = _export_step(module, zero_step(contract, 2, starts), contract)
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


def zero_step(
    contract: Contract, batch: int, starts: Starts = MappingProxyType({})
) -> tuple[Tensor, ...]:
    """One step of zeros from the initial state, told what a stream is told that says nothing: what
    the module is called with."""
    arrays = contract.initial_state(starts)
    rows = [
        _in_torch(arrays[tensor.name][None].repeat(batch, 0), tensor) for tensor in contract.carried
    ]
    x = np.zeros((batch, 1, contract.input.width), contract.input_dtype)
    return torch.from_numpy(x), *rows


def _in_torch(array: NDArray[Any], tensor: CarriedTensor) -> Tensor:
    """A bfloat16, which numpy does not have, comes as its bits."""
    found = torch.from_numpy(array)
    return found.view(torch.bfloat16) if tensor.dtype == "bfloat16" else found


def _export_step(
    module: nn.Module, arguments: tuple[Tensor, ...], contract: Contract
) -> onnx.ModelProto:
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
