"""Outputs of every task and type: to columns and back, and which of them are answers."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from pydantic import ValidationError

from larnn_service.outputs import (
    Output,
    OutputDtype,
    are_good,
    classes,
    from_columns,
    to_columns,
)

shapes = st.lists(st.integers(1, 3), max_size=3).map(tuple)
raw = st.builds(
    Output,
    name=st.just("raw"),
    task=st.just("raw"),
    shape=shapes,
    dtype=st.sampled_from(get_args(OutputDtype)),
)


@given(kinds=st.lists(raw, min_size=1, max_size=3), before=shapes, data=st.data())
def test_columns_hold_every_bit(
    kinds: list[Output], before: tuple[int, ...], data: st.DataObject
) -> None:
    """Whatever the numbers: whole ones of 64 bits too, infinities and NaN."""
    outputs = [kind.model_copy(update={"name": f"raw{i}"}) for i, kind in enumerate(kinds)]
    given_arrays = [
        data.draw(arrays.arrays(np.dtype(output.dtype), (*before, *output.step_shape)))
        for output in outputs
    ]
    columns = to_columns(outputs, given_arrays)
    assert columns.dtype == np.float32
    assert columns.shape == (*before, sum(output.columns for output in outputs))
    for array, back in zip(given_arrays, from_columns(outputs, columns).values(), strict=True):
        assert (array.dtype, array.shape) == (back.dtype, back.shape)
        np.testing.assert_array_equal(array, back)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"task": "classes", "labels": ("A",)}, "classes needs 2 labels at least"),
        ({"task": "tags"}, "tags needs 1 labels at least"),
        ({"task": "values"}, "values needs 1 values at least"),
        ({"task": "probability", "shape": (2,)}, "probability takes labels alone"),
        ({"task": "raw", "labels": ("A",)}, "raw takes shape alone"),
        ({"task": "classes", "labels": ("A", "A")}, "names must be unique"),
        ({"task": "tags", "labels": ("A",), "dtype": "int64"}, "tags are floats"),
        ({"task": "raw", "dtype": "string"}, "dtype"),
        ({"task": "raw", "shape": (0,)}, "shape"),
        ({"task": "regression"}, "task"),
    ],
)
def test_an_output_that_contradicts_its_task_is_refused(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        Output(name="y", **changes)


def answers(*rows: list[float]) -> NDArray[np.float32]:
    return np.array(rows, dtype=np.float32)


MASKED, NONE = [-np.inf, 1.0], [-np.inf, -np.inf]
TAGS = (Output(name="y", task="tags", labels=("A", "B")),)
RAW = (Output(name="y", task="raw", shape=(2,)),)


@pytest.mark.parametrize(
    ("outputs", "columns", "good"),
    [
        (classes("AB"), answers([1, 2], MASKED), True),
        (classes("AB"), answers([1, 2], NONE), False),
        (classes("AB"), answers([np.inf, 1]), False),
        (classes("AB"), answers([np.nan, 1]), False),
        (TAGS, answers(NONE), True),
        (TAGS, answers([np.inf, 0]), False),
        (RAW, answers([1, 2]), True),
        (RAW, answers(MASKED), False),
        (RAW, answers([np.nan, 1]), False),
    ],
)
def test_answers_are_finite_but_for_what_cannot_be(
    outputs: tuple[Output, ...], columns: NDArray[np.float32], good: bool
) -> None:
    assert are_good(outputs, columns) is good
    more = RAW[0].model_copy(update={"name": "more"})
    assert are_good([*outputs, more], _beside(columns)) is good


def _beside(columns: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.concatenate([columns, np.zeros((len(columns), 2), np.float32)], axis=1)
