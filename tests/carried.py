"""A network with state of every type that onnxruntime has, and with context.

Each state tensor is a running sum of the one channel, in its own type; `seen` says whether there
was a step above zero. The context `gain` and `shift` make the answer of the sum in float32.
"""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from larnn_service.contract import METADATA_KEY, Channel, Contract, Input, StateTensor
from larnn_service.outputs import Output
from larnn_service.tensors import ContextTensor, File
from tests import toy
from tests.backend.test_model_repository import resign

TYPES = {
    "float16": TensorProto.FLOAT16,
    "bfloat16": TensorProto.BFLOAT16,
    "float32": TensorProto.FLOAT,
    "float64": TensorProto.DOUBLE,
    "bool": TensorProto.BOOL,
    "int8": TensorProto.INT8,
    "int16": TensorProto.INT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
    "uint16": TensorProto.UINT16,
    "uint32": TensorProto.UINT32,
    "uint64": TensorProto.UINT64,
}
SUMS = [dtype for dtype in TYPES if dtype != "bool"]
START = np.array([[3, 1], [0, 2]], np.int16)
"""What `sum_int16` [2, 2] begins with, from a file."""
BEGINS = 5
"""What the unsigned sums begin with."""
DEFAULT_SHIFT = [10.0, 20.0]


def contract() -> Contract:
    """Its tensors have no axis but the batch's, or two."""
    digest = hashlib.sha256(npy(START)).hexdigest()
    state = [
        StateTensor(
            name=f"sum_{dtype}",
            shape=(2, 2) if dtype in ("int16", "float16", "bfloat16") else (),
            dtype=dtype,
            initial=File(file="sum_int16.npy", sha256=digest)
            if dtype == "int16"
            else BEGINS * dtype.startswith("u"),
            description="running sum",
        )
        for dtype in SUMS
    ]
    seen = StateTensor(name="seen", shape=(1,), dtype="bool", description="a step was above zero")
    shift = hashlib.sha256(npy(np.array(DEFAULT_SHIFT, np.float32))).hexdigest()
    return Contract(
        input=Input(channels=(Channel(name="level", unit="1"),)),
        outputs=(
            Output(name="answer", task="raw", shape=(2,)),
            Output(name="told", task="raw", shape=(len(SUMS) + 1,)),
        ),
        sample_rate_hz=None,
        state=(*state, seen),
        context=(
            ContextTensor(name="gain", shape=(), dtype="float32", description="of the sum"),
            ContextTensor(
                name="shift",
                shape=(2,),
                dtype="float32",
                default=File(file="shift.npy", sha256=shift),
                description="beside it",
            ),
            ContextTensor(
                name="upside_down", shape=(), dtype="bool", default=0, description="the other sign"
            ),
        ),
    )


def npy(array: NDArray[Any]) -> bytes:
    """As a file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def _nodes(own: Contract) -> list[Any]:
    """Sums in float32, a column for each state tensor, which go back to its type."""
    make, f32 = helper.make_node, TensorProto.FLOAT
    nodes = [
        make("Slice", ["x", "zero", "one", "one"], ["x_first"]),
        make("Sub", ["x_first", "x_first"], ["nothing"]),
        make("Concat", ["nothing", "x"], ["padded"], axis=1),
        make("CumSum", ["padded", "axis"], ["sums"]),
        make("Relu", ["padded"], ["risen"]),
        make("CumSum", ["risen", "axis"], ["rises"]),
        make("Unsqueeze", ["lengths", "one"], ["last"]),
    ]
    for name, kind in ((tensor.name, TYPES[tensor.dtype]) for tensor in own.state):
        nodes += [
            make("Cast", [name], [f"{name}_float"], to=f32),
            make("Reshape", [f"{name}_float", "row"], [f"{name}_first"]),
            make("Add", [f"{name}_first", "rises" if name == "seen" else "sums"], [f"{name}_all"]),
            make("Sign" if name == "seen" else "Identity", [f"{name}_all"], [f"{name}_at"]),
            make("GatherND", [f"{name}_at", "last"], [f"{name}_end"], batch_dims=1),
            make("Shape", [name], [f"{name}_shape"]),
            make("Reshape", [f"{name}_end", f"{name}_shape"], [f"{name}_back"]),
            make("Cast", [f"{name}_back"], [f"next_{name}"], to=kind),
            make("Slice", [f"{name}_at", "one_zero", "ends", "one_two"], [f"{name}_column"]),
        ]
    return [
        *nodes,
        make("Concat", [f"{tensor.name}_column" for tensor in own.state], ["told"], axis=2),
        make("Where", ["upside_down", "minus", "plus"], ["sign"]),
        make("Mul", ["gain", "sign"], ["signed"]),
        make("Unsqueeze", ["signed", "one_two"], ["factor"]),
        make("Mul", ["sum_float32_column", "factor"], ["scaled"]),
        make("Unsqueeze", ["shift", "one"], ["beside"]),
        make("Add", ["scaled", "beside"], ["answer"]),
    ]


def publish(root: Path, name: str = "carried") -> Path:
    """Write root/NAME/1/."""
    own = contract()
    info, i64, f32 = helper.make_tensor_value_info, TensorProto.INT64, TensorProto.FLOAT
    batch: list[str | int | None] = ["batch"]
    whole = [(t.name, t.next_name, TYPES[t.dtype], [*batch, *t.shape]) for t in own.state]
    graph = helper.make_graph(
        _nodes(own),
        name,
        [
            info("x", f32, ["batch", "steps", 1]),
            info("lengths", i64, ["batch"]),
            *(info(tensor, kind, shape) for tensor, _, kind, shape in whole),
            *(info(t.name, TYPES[t.dtype], [*batch, *t.shape]) for t in own.context),
        ],
        [
            info("answer", f32, ["batch", "steps", 2]),
            info("told", f32, ["batch", "steps", len(own.state)]),
            *(info(after, kind, shape) for _, after, kind, shape in whole),
        ],
        [
            helper.make_tensor("zero", i64, [1], [0]),
            helper.make_tensor("one", i64, [1], [1]),
            helper.make_tensor("one_two", i64, [2], [1, 2]),
            helper.make_tensor("one_zero", i64, [2], [1, 0]),
            helper.make_tensor("ends", i64, [2], [2**31, 1]),
            helper.make_tensor("row", i64, [3], [0, 1, -1]),
            helper.make_tensor("axis", i64, [], [1]),
            helper.make_tensor("plus", f32, [], [1]),
            helper.make_tensor("minus", f32, [], [-1]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    helper.set_model_props(model, {METADATA_KEY: own.model_dump_json()})
    onnx.checker.check_model(model)
    folder = toy.publish(root, name, contract=json.loads(own.model_dump_json()))
    (folder / "sum_int16.npy").write_bytes(npy(START))
    (folder / "shift.npy").write_bytes(npy(np.array(DEFAULT_SHIFT, np.float32)))
    resign(folder, model)
    return folder


def expected(
    steps: NDArray[np.float32],
    gain: float,
    shift: list[float] | None = None,
    upside_down: bool = False,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """`answer` [steps, 2] and `told` [steps, states] of a sequence [steps, 1]."""
    sums = np.cumsum(steps[:, 0], dtype=np.float32)
    answer = sums[:, None] * gain * (-1 if upside_down else 1)
    begins = [START[0, 0] if d == "int16" else BEGINS * d.startswith("u") for d in SUMS]
    told = sums[:, None] + np.array(begins, np.float32)
    seen = np.cumsum(np.maximum(steps, 0), axis=0) > 0
    answer = answer + np.array(shift or DEFAULT_SHIFT)
    return answer.astype(np.float32), np.hstack([told, seen]).astype(np.float32)
