"""What every graph of ours has around its nodes: the contract's inputs, outputs and metadata."""

from __future__ import annotations

import onnx

from larnn_export.families.builder import OPSET, Pen
from larnn_export.wrapping.served_model import IR_VERSION, named, served_model
from larnn_service.contract import Contract


def model_of(
    pen: Pen, contract: Contract, name: str, opset: int = OPSET, ir_version: int = IR_VERSION
) -> onnx.ModelProto:
    """All that was written, as a checked model with the contract in its metadata."""
    graph = pen.graph(
        name,
        [named(signature) for signature in contract.expected_inputs()],
        [named(signature) for signature in contract.expected_outputs()],
    )
    functions = list(pen.functions.values())
    opsets = {"": opset, **{function.domain: 1 for function in functions}}
    return served_model(graph, contract, opsets, ir_version, functions)
