"""Small recurrent graphs of every kind that people have, written as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper, parser

Arrays = Mapping[str, Any]


def weights(**shapes: tuple[int, ...]) -> dict[str, NDArray[Any]]:
    """The same for the same shapes, whatever else was drawn."""
    random = np.random.default_rng(0)
    return {name: random.normal(0, 0.4, shape).astype(np.float32) for name, shape in shapes.items()}


def write(folder: Path, text: str, arrays: Arrays, opset: int = 17) -> Path:
    """The graph of the text with these weights, as a file."""
    graph = parser.parse_graph(text)
    for name, array in arrays.items():
        graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, producer_name="tests")
    file = folder / f"{graph.name}.onnx"
    onnx.save(model, file)
    return file


def step(x: str = "x", w: str = "w") -> str:
    """Of a plain recurrent network, from h to hn, answered by y."""
    return f"""
        mine = MatMul({x}, {w})
        kept = MatMul(h, u)
        both = Add(mine, kept)
        hn = Tanh(both)
        y = MatMul(hn, v)
    """


STEP_WEIGHTS = weights(w=(4, 8), u=(8, 8), v=(8, 3))


def one_step(folder: Path) -> Path:
    text = f"one_step (float[N,4] x, float[N,8] h) => (float[N,3] y, float[N,8] hn) {{{step()}}}"
    return write(folder, text, STEP_WEIGHTS)


def fixed_batch(folder: Path) -> Path:
    text = f"fixed_batch (float[1,4] x, float[1,8] h) => (float[1,3] y, float[1,8] hn) {{{step()}}}"
    return write(folder, text, STEP_WEIGHTS)


def batch_last(folder: Path) -> Path:
    text = """batch_last (float[4,N] x, float[8,N] h_in) => (float[3,N] y, float[8,N] h_out) {
        mine = MatMul(w, x)
        kept = MatMul(u, h_in)
        both = Add(mine, kept)
        h_out = Tanh(both)
        y = MatMul(v, h_out)
    }"""
    return write(folder, text, weights(w=(8, 4), u=(8, 8), v=(3, 8)))


def layers_first(folder: Path) -> Path:
    """Two layers in one state, as torch keeps them; its shape is not told."""
    text = """layers_first (float[N,4] x, float[2,N,8] state)
        => (float[N,3] y, float[a,b,c] stateN) {
        lower, upper = Split <axis = 0> (state)
        axis = Constant <value_ints = [0]> ()
        one = Squeeze(lower, axis)
        two = Squeeze(upper, axis)
        mine = MatMul(x, w)
        first = Add(mine, one)
        next_one = Tanh(first)
        passed = MatMul(next_one, u)
        second = Add(passed, two)
        next_two = Tanh(second)
        y = MatMul(next_two, v)
        up = Unsqueeze(next_one, axis)
        low = Unsqueeze(next_two, axis)
        stateN = Concat <axis = 0> (up, low)
    }"""
    return write(folder, text, STEP_WEIGHTS)


def old_opset(folder: Path, opset: int = 11) -> Path:
    """Its Squeeze has its axes as an attribute."""
    text = """old_opset (float[1,1,4] x, float[1,1,8] h) => (float[1,1,3] y, float[1,1,8] hn) {
        step = Squeeze <axes = [0]> (x)
        kept = Squeeze <axes = [0]> (h)
        mine = MatMul(step, w)
        more = MatMul(kept, u)
        both = Add(mine, more)
        next = Tanh(both)
        hn = Unsqueeze <axes = [0]> (next)
        answer = MatMul(next, v)
        y = Unsqueeze <axes = [0]> (answer)
    }"""
    return write(folder, text, STEP_WEIGHTS, opset)


def older_opset(folder: Path) -> Path:
    """It is raised."""
    return old_opset(folder, 9)


LSTM_WEIGHTS = weights(w=(1, 32, 4), r=(1, 32, 8), b=(1, 64), v=(8, 3))


def sequence(folder: Path) -> Path:
    """An LSTM over time, time first."""
    text = """sequence (float[time,batch,4] x, float[1,batch,8] h0, float[1,batch,8] c0)
        => (float[time,batch,3] y, float[1,batch,8] hn, float[1,batch,8] cn) {
        all, hn, cn = LSTM <hidden_size = 8> (x, w, r, b, , h0, c0)
        axis = Constant <value_ints = [1]> ()
        flat = Squeeze(all, axis)
        y = MatMul(flat, v)
    }"""
    return write(folder, text, LSTM_WEIGHTS)


def running_sum(folder: Path) -> Path:
    """A sum over time and a count of steps: no layer of ONNX's, and an integer."""
    text = """running_sum (float[batch,time,4] x, float[batch,4] total, int64[batch] count)
        => (float[batch,time,4] y, float[batch,4] total_out, int64[batch] count_out) {
        one = Constant <value_int = 1> ()
        axis = Constant <value_ints = [1]> ()
        sums = CumSum(x, one)
        base = Unsqueeze(total, axis)
        y = Add(sums, base)
        sum = ReduceSum <keepdims = 0> (x, axis)
        total_out = Add(total, sum)
        shape = Shape(x)
        steps = Gather <axis = 0> (shape, one)
        count_out = Add(count, steps)
    }"""
    return write(folder, text, {})


def last_answer(folder: Path) -> Path:
    """It answers a sequence once: step by step that is an answer for each."""
    text = """last_answer (float[time,batch,4] x, float[1,batch,8] h0)
        => (float[batch,3] y, float[1,batch,8] hn) {
        all, hn = RNN <hidden_size = 8> (x, w, r, b, , h0)
        axis = Constant <value_ints = [0]> ()
        flat = Squeeze(hn, axis)
        y = MatMul(flat, v)
    }"""
    return write(folder, text, weights(w=(1, 8, 4), r=(1, 8, 8), b=(1, 16), v=(8, 3)))


def told_once(folder: Path) -> Path:
    """A vector for each row, and a rate for all, which are the same at every step."""
    text = f"""told_once (float[N,4] x, float[N,8] h, float[N,4] speaker, float gain)
        => (float[N,3] y, float[N,8] hn) {{
        louder = Mul(x, gain)
        spoken = Add(louder, speaker)
        {step("spoken")}
    }}"""
    return write(folder, text, STEP_WEIGHTS)


def half(folder: Path) -> Path:
    halves = {name: array.astype(np.float16) for name, array in STEP_WEIGHTS.items()}
    head = "half (float16[N,4] x, float16[N,8] h) => (float16[N,3] y, float16[N,8] hn)"
    text = f"{head} {{{step()}}}"
    return write(folder, text, halves)


def quantised(folder: Path) -> Path:
    """Its input and weights go through eight bits."""
    text = f"""quantised (float[N,4] x, float[N,8] h) => (float[N,3] y, float[N,8] hn) {{
        coarse = QuantizeLinear(x, scale, zero)
        x8 = DequantizeLinear(coarse, scale, zero)
        w8 = DequantizeLinear(wq, scale, zero)
        {step("x8", "w8")}
    }}"""
    coarse = (STEP_WEIGHTS["w"] / 0.03).round().astype(np.int8)
    small = {"scale": np.float32(0.03), "zero": np.int8(0), "wq": coarse}
    return write(folder, text, {**small, "u": STEP_WEIGHTS["u"], "v": STEP_WEIGHTS["v"]})


def branches(folder: Path) -> Path:
    """Its branches take weights from around them, and a number chooses: a rate, as in speech."""
    text = """branches (float[N,samples] input, float[N,8] state, int64 sr)
        => (float[N,1] output, float[N,8] stateN) {
        fast = Constant <value_int = 16000> ()
        is_fast = Equal(sr, fast)
        stateN = If (is_fast) <
            then_branch = yes () => (float[N,8] one) {
                mine = MatMul(input, w)
                kept = MatMul(state, u)
                both = Add(mine, kept)
                one = Tanh(both)
            },
            else_branch = no () => (float[N,8] other) { other = Identity(state) }
        >
        sum = MatMul(stateN, v)
        output = Sigmoid(sum)
    }"""
    return write(folder, text, weights(w=(6, 8), u=(8, 8), v=(8, 1)))


def many_types(folder: Path) -> Path:
    """State of a type that onnxruntime's Where does not have, for each of them."""
    kinds = ("bool", "int8", "int16", "int32", "uint8", "float16", "double", "float")
    inputs = ", ".join(f"{kind}[N,4] {kind}_in" for kind in kinds)
    outputs = ", ".join(f"{kind}[N,4] {kind}_out" for kind in kinds)
    nodes, last = "", "x"
    for kind in kinds:
        nodes += f"{kind}_f = Cast <to = 1> ({kind}_in)\n"
        nodes += f"{kind}_sum = Add({last}, {kind}_f)\n"
        nodes += f"{kind}_cut = Clip({kind}_sum, low, high)\n"
        nodes += f"{kind}_out = Cast <to = {_number(kind)}> ({kind}_cut)\n"
        last = f"{kind}_f"
    text = f"""many_types (float[N,4] x, {inputs}) => (float[N,4] y, {outputs}) {{
        {nodes} y = Add({last}, x)
    }}"""
    return write(folder, text, {"low": np.float32(0), "high": np.float32(100)})


def _number(kind: str) -> int:
    return int(onnx.TensorProto.DataType.Value(kind.upper()))


def looks_ahead(folder: Path) -> Path:
    """Its answers depend on later steps."""
    text = """looks_ahead (float[batch,time,4] x, float[batch,4] h)
        => (float[batch,time,4] y, float[batch,4] hn) {
        axis = Constant <value_ints = [1]> ()
        mean = ReduceMean <axes = [1], keepdims = 1> (x)
        y = Sub(x, mean)
        sum = ReduceSum <keepdims = 0> (x, axis)
        hn = Add(h, sum)
    }"""
    return write(folder, text, {})


def rows_meet(folder: Path) -> Path:
    """It takes the mean of its batch away: rows cannot run together."""
    text = """rows_meet (float[N,4] x, float[N,4] h) => (float[N,4] y, float[N,4] hn) {
        mean = ReduceMean <axes = [0], keepdims = 1> (x)
        off = Sub(x, mean)
        y = Add(off, h)
        hn = Add(h, x)
    }"""
    return write(folder, text, {})


def tokens(folder: Path) -> Path:
    """It sums what a table of 50 rows has for its tokens."""
    text = """tokens (int64[N,time] tokens, float[N,4] h) => (float[N,time,4] y, float[N,4] hn) {
        rows = Gather(table, tokens)
        one = Constant <value_int = 1> ()
        axis = Constant <value_ints = [1]> ()
        sums = CumSum(rows, one)
        base = Unsqueeze(h, axis)
        y = Add(sums, base)
        sum = ReduceSum <keepdims = 0> (rows, axis)
        hn = Add(h, sum)
    }"""
    return write(folder, text, weights(table=(50, 4)))


def brain(folder: Path, inside: str = "float") -> Path:
    """Its input, state, answer and weights are bfloat16, and it reckons in another type."""
    kind = _number(inside)
    names = {"x": "x", "h": "h", "w": "w_b", "u": "u_b", "v": "v_b"}
    casts = "".join(f"{name}_w = Cast <to = {kind}> ({of})\n" for name, of in names.items())
    text = f"""brain (bfloat16[N,4] x, bfloat16[N,8] h) => (bfloat16[N,3] y, bfloat16[N,8] hn) {{
        {casts}
        mine = MatMul(x_w, w_w)
        kept = MatMul(h_w, u_w)
        both = Add(mine, kept)
        next = Tanh(both)
        answer = MatMul(next, v_w)
        hn = Cast <to = 16> (next)
        y = Cast <to = 16> (answer)
    }}"""
    brief = {f"{n}_b": a.astype(ml_dtypes.bfloat16) for n, a in STEP_WEIGHTS.items()}
    return write(folder, text, brief)
