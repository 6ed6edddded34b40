"""What every graph that is served has around its nodes: the contract's inputs, outputs and
metadata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
from onnx import FunctionProto, GraphProto, helper

from larnn_export.wrapping.nodes import Named, tensor_type
from larnn_service.contract import METADATA_KEY, OPERATORS_KEY, Contract, TensorSignature

IR_VERSION = 9


def served_model(
    graph: GraphProto,
    contract: Contract,
    opsets: Mapping[str, int],
    ir_version: int = IR_VERSION,
    functions: Sequence[FunctionProto] = (),
) -> onnx.ModelProto:
    """A checked model of the graph, with the contract in its metadata.

    `opsets` is the version of each operator set by its domain. Raises onnx's own errors where the
    graph is not valid.
    """
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid(*each) for each in opsets.items()],
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


def named(signature: TensorSignature) -> Named:
    """An input or an output of the contract, with names for its dynamic axes."""
    axes: list[int | str | None] = list(signature.shape)
    for index, axis in enumerate(("batch", "steps")):
        if index < len(axes) and axes[index] is None:
            axes[index] = axis
    return signature.name, tensor_type(signature.dtype), axes
