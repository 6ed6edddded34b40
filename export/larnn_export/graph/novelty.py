"""A novelty as a graph: networks/novelty.py, node by node. It has no loop over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from onnx import TensorProto

from larnn_export.families.builder import Pen
from larnn_export.networks.novelty import MEMORY, MOMENTS, Novelty
from larnn_export.novelty.score import MOST
from larnn_export.novelty.statistics import FLOOR, LARGEST

_ONE_BEFORE = [0, 0, 1, 0, 0, 0]
"""Where Pad puts a one: along the last axis of three."""


def write_novelty(pen: Pen, novelty: Novelty, x: str, lengths: str) -> tuple[str, dict[str, str]]:
    """x [batch, steps, channels] → novelty [batch, steps, 1] and the next state by name."""
    after = {}
    entered, scale = _samples(pen, novelty, x), novelty.scale.numpy()
    left = _left(pen, x, np.append(novelty.decays.numpy(), novelty.kept.numpy()))
    of_moments = pen.write("Gather", left, scale, axis=1)
    moments, after[MOMENTS] = _sums(pen, entered, of_moments, MOMENTS, lengths)
    distance = _distance(pen, novelty, _features(pen, novelty, moments))
    if not novelty.remembers:
        return distance, after
    capped = pen.write("Cast", pen.write("Min", distance, MOST), to=TensorProto.DOUBLE)
    share = 1 - float(novelty.kept)
    entered = pen.write("Mul", capped, _double(pen, [share, 0.0]))
    entered = pen.write("Add", entered, _double(pen, [0.0, share]))
    of_memory = pen.write("Gather", left, [novelty.scales], axis=1)
    sums, after[MEMORY] = _sums(pen, entered, of_memory, MEMORY, lengths)
    total, weight = pen.write_many("Split", 2, sums, axis=2, num_outputs=2)
    mean = pen.write("Cast", pen.write("Div", total, weight), to=TensorProto.FLOAT)
    return pen.write("Mul", pen.write("Add", distance, mean), 0.5), after


def _double(pen: Pen, value: ArrayLike) -> str:
    return pen.constant(np.asarray(value), np.float64)


def _samples(pen: Pen, novelty: Novelty, x: str) -> str:
    """What enters the moments, [batch, steps, moments] float64."""
    samples = pen.write("Cast", x, to=TensorProto.DOUBLE)
    samples = pen.write("Sub", samples, _double(pen, novelty.shift.numpy()))
    samples = pen.write("Div", samples, _double(pen, novelty.deviation.numpy()))
    samples = pen.write("Clip", samples, _double(pen, -LARGEST), _double(pen, LARGEST))
    whole = pen.write("Pad", samples, _ONE_BEFORE, _double(pen, 1.0))
    one, other = (
        pen.write("MatMul", whole, _double(pen, constant.numpy()))
        for constant in (novelty.first, novelty.second)
    )
    return pen.write("Mul", one, other)


def _left(pen: Pen, x: str, kept: np.ndarray) -> str:
    """[steps, n]: what each of the steps leaves of what was before the first, for `kept` [n]."""
    steps = pen.write("Squeeze", pen.write("Shape", x, start=1, end=2))
    count = pen.write("Cast", steps, to=TensorProto.DOUBLE)
    until = pen.write("Add", count, _double(pen, 1.0))
    counts = pen.write("Range", _double(pen, 1.0), until, _double(pen, 1.0))
    logarithms = pen.write("Mul", pen.write("Unsqueeze", counts, [1]), _double(pen, np.log(kept)))
    return pen.write("Exp", logarithms)


def _sums(pen: Pen, entered: str, left: str, state: str, lengths: str) -> tuple[str, str]:
    """Exponential sums [batch, steps, n] of [batch, steps, n], and the state after `lengths`."""
    added = pen.write("CumSum", pen.write("Div", entered, left), 1)
    whole = pen.write("Add", added, pen.write("Unsqueeze", state, [1]))
    sums = pen.write("Mul", whole, left)
    return sums, pen.at_length(state, sums, lengths)


def _features(pen: Pen, novelty: Novelty, moments: str) -> str:
    """Means, logarithms of variances and correlations, [batch, steps, features] float32."""
    scales, count = novelty.scales, len(novelty.scale)
    means, covariances = scales * novelty.channels, novelty.halves.shape[1]
    weights, sums = pen.write_many("Split", 2, moments, [scales, count - scales], axis=2)
    each = pen.write("MatMul", pen.write("Reciprocal", weights), _double(pen, novelty.each))
    seen = pen.write("Mul", sums, each)
    mean, products = pen.write_many("Split", 2, seen, [means, means + covariances], axis=2)
    one, other = (
        pen.write("MatMul", mean, _double(pen, constant))
        for constant in (novelty.one, novelty.other)
    )
    centred = pen.write("Sub", products, pen.write("Mul", one, other))
    centred = pen.write("Cast", centred, to=TensorProto.FLOAT)
    squares, products = pen.write_many("Split", 2, centred, [means, covariances], axis=2)
    logarithms = pen.write("Log", pen.write("Max", squares, FLOOR**2))
    scale = pen.write("Exp", pen.write("MatMul", logarithms, novelty.halves))
    correlations = pen.write("Mul", products, scale)
    single = pen.write("Cast", mean, to=TensorProto.FLOAT)
    return pen.write("Concat", single, logarithms, correlations, axis=2)


def _distance(pen: Pen, novelty: Novelty, features: str) -> str:
    """[batch, steps, 1], to the nearest prototype."""
    points, origin = novelty.points, novelty.origin
    places = pen.write("MatMul", features, novelty.whitening)
    places = pen.write("Sub", places, origin)
    products = pen.write("MatMul", places, -2 * points.T)
    squares = pen.write("Add", products, points.square().sum(1))
    nearest = pen.write("ReduceMin", squares, [2])
    own = pen.write("ReduceSumSquare", places, [2])
    return pen.write("Sqrt", pen.write("Max", pen.write("Add", own, nearest), 0.0))
