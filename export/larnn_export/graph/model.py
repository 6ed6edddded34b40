"""What every graph of ours has around its nodes: the contract's inputs, outputs and metadata."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import helper

from larnn_export.families.builder import OPSET, Pen
from larnn_service.contract import METADATA_KEY, OPERATORS_KEY, Contract, TensorSignature

IR_VERSION = 9


def model_of(
    pen: Pen, contract: Contract, name: str, opset: int = OPSET, ir_version: int = IR_VERSION
) -> onnx.ModelProto:
    """All that was written, as a checked model with the contract in its metadata."""
    graph = pen.graph(
        name,
        [_declared(signature) for signature in contract.expected_inputs()],
        [_declared(signature) for signature in contract.expected_outputs()],
    )
    functions = list(pen.functions.values())
    model = helper.make_model(
        graph,
        opset_imports=[
            helper.make_opsetid(domain, version)
            for domain, version in {"": opset, **{f.domain: 1 for f in functions}}.items()
        ],
        functions=functions,
        ir_version=ir_version,
        producer_name="larnn-service",
    )
    metadata = {METADATA_KEY: contract.model_dump_json()}
    if functions:
        metadata[OPERATORS_KEY] = ",".join(sorted({function.domain for function in functions}))
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    return model


def _declared(signature: TensorSignature) -> tuple[str, str, list[Any]]:
    axes: list[Any] = list(signature.shape)
    for index, axis in enumerate(("batch", "steps")):
        if index < len(axes) and axes[index] is None:
            axes[index] = axis
    return signature.name, signature.dtype, axes
