"""Outputs of a model as columns of a table, by the task of each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from larnn_service.interfaces import Floats
from larnn_service.outputs import Output, spans


def telling(outputs: Sequence[Output]) -> tuple[str, ...]:
    """The names of outputs that say when the answer is unsure."""
    return tuple(output.name for output in outputs if output.unsure_above is not None)


class Answers:
    """The columns of a model's answers."""

    def __init__(self, outputs: Sequence[Output], further: Sequence[str] = ()) -> None:
        """Of the first output, which is the answer, and of `further` ones by their names, whose
        columns are called OUTPUT.COLUMN."""
        self._spans = list(spans(outputs))
        self._wanted = {**{name: f"{name}." for name in further}, outputs[0].name: ""}

    def nothing(self) -> Floats:
        """[0, columns]"""
        return np.empty((0, self._spans[-1][1].stop), np.float32)

    def columns(self, outputs: Floats) -> dict[str, pa.Array]:
        """By their names, of [rows, columns]: a label and `p_LABEL` of classes, `p_LABEL` of tags
        and probabilities, values by their names, else `output`."""
        return {
            self._wanted[output.name] + name: column
            for output, own in self._spans
            if output.name in self._wanted
            for name, column in _columns(output, output.from_columns(outputs[:, own]))
        }


def _columns(output: Output, array: NDArray[Any]) -> Iterator[tuple[str, pa.Array]]:
    if output.task == "raw":
        yield "output", _nested(array, output.step_shape)
        return
    if output.task == "values":
        yield from zip(output.names, map(pa.array, array.T), strict=True)
        return
    if output.task == "classes":
        best = pa.array(array.argmax(axis=1).astype(np.int32))
        yield "label", pa.DictionaryArray.from_arrays(best, list(output.labels))
    shares = _probabilities(output, np.ascontiguousarray(array.T))
    yield from zip([f"p_{label}" for label in output.labels], map(pa.array, shares), strict=True)


def _nested(array: NDArray[Any], shape: tuple[int, ...]) -> pa.Array:
    """[rows, *shape] as numbers, or as lists in the order of the array's axes."""
    flat = pa.array(array.reshape(-1))
    return pa.FixedSizeListArray.from_arrays(flat, math.prod(shape)) if shape else flat


def _probabilities(output: Output, array: NDArray[Any]) -> NDArray[Any]:
    """[labels, rows] of logits or probabilities: along rows, which are many, numpy is fast."""
    if output.task == "classes":
        shares: NDArray[Any] = np.exp(array - array.max(axis=0))
        shares /= shares.sum(axis=0)
        return shares
    if output.task == "tags":
        with np.errstate(over="ignore"):
            return np.asarray(1 / (1 + np.exp(-array)))
    return array
