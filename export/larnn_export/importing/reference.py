"""The file run as its author would: one row, from the initial state on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from larnn_export.importing.axes import constants, features, sized
from larnn_export.importing.carried import Held, Kept
from larnn_export.importing.described import Given
from larnn_export.importing.fitted import OVERLAP, Fed
from larnn_export.importing.options import Options
from larnn_export.importing.original import Arrays, Original
from larnn_export.importing.plan import Plan


class Reference:
    """Runs the file on a whole row at once where it takes one, else step by step."""

    def __init__(self, original: Original, plan: Plan, options: Options) -> None:
        self._original, self._plan = original, plan
        self._constants = constants(original, options)
        self._names = [given.name for given in plan.given] + [kept.after for kept in plan.kept]

    def run(
        self, steps: NDArray[Any], once: Mapping[str, NDArray[Any]]
    ) -> tuple[list[NDArray[Any]], Arrays]:
        """Steps [steps, channels] → each output [steps, *step shape], and the last state by the
        contract's names. `once` [*shape] is what is given once. Raises RunError."""
        plan = self._plan
        state = {kept.before: _as_carried(kept.start, kept) for kept in plan.kept}
        same = {held.before: _as_carried(once[held.tensor.name], held) for held in plan.held}
        same |= self._constants
        framed = self._framed(steps)
        pieces = [framed] if plan.layout.steps == "whole" else np.split(framed, len(framed))
        answers: list[list[NDArray[Any]]] = [[] for _ in plan.given]
        for piece in pieces:
            given = self._original.run(self._names, {**same, **self._feeds(piece), **state})
            state = {kept.before: given[kept.after] for kept in plan.kept}
            for collected, each in zip(answers, plan.given, strict=True):
                collected.append(_of_steps(given[each.name], each, len(piece)))
        last = {kept.tensor.name: state[kept.before] for kept in plan.kept}
        if plan.overlap:
            signal = np.concatenate([np.zeros(plan.overlap, np.float32), steps.reshape(-1)])
            last[OVERLAP] = signal[-plan.overlap :]
        return [np.concatenate(collected) for collected in answers], last

    def _framed(self, steps: NDArray[Any]) -> NDArray[np.float32]:
        """With the samples of the steps before in front of each."""
        overlap, new = self._plan.overlap, steps.shape[1]
        if not overlap:
            return steps
        signal = np.concatenate([np.zeros(overlap, np.float32), steps.reshape(-1)])
        windows = np.lib.stride_tricks.sliding_window_view(signal, overlap + new)
        return np.ascontiguousarray(windows[::new])

    def _feeds(self, steps: NDArray[Any]) -> Arrays:
        feeds, start = {}, 0
        for fed in self._plan.fed:
            feeds[fed.name] = _as_taken(steps[:, start : start + fed.size], fed)
            start += fed.size
        return feeds


def _as_carried(array: NDArray[Any], carried: Kept | Held) -> NDArray[Any]:
    """[*shape] of the contract in the axes of the file, one row."""
    return array.reshape(sized(carried.axes, 1, 1)).astype(_dtype(carried.type))


def _as_taken(steps: NDArray[Any], fed: Fed) -> NDArray[Any]:
    """[steps, numbers] in the axes of the file, one row."""
    roles = [role for role in "bt" if role in fed.axes]
    array = steps.reshape(*(len(steps) if r == "t" else 1 for r in roles), *features(fed.axes))
    places = [fed.axes.index(role) for role in roles]
    return np.moveaxis(array, range(len(roles)), places).astype(_dtype(fed.type))


def _of_steps(array: NDArray[Any], given: Given, steps: int) -> NDArray[Any]:
    """An output of the file of one row as [steps, *step shape]."""
    if "t" in given.axes:
        array = np.moveaxis(array, given.axes.index("t"), 0)
    return array.astype(given.output.dtype).reshape(steps, *given.output.step_shape)


def _dtype(kind: int) -> Any:
    return helper.tensor_dtype_to_np_dtype(kind)
