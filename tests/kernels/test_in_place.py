"""Runs in the arrays themselves, one after the other in whatever shapes, against runs by copies."""

from __future__ import annotations

import numpy as np
import pytest

from larnn_service.backend.model_repository import Repository, load_model
from larnn_service.interfaces import State, advance_by_copy
from tests import live
from tests.kernels import native

SLOTS = 24
SHAPES = [(1, 1), (1, 1), (5, 7), (2, 30), (5, 7), (1, 10), (8, 3), (1, 1)]
"""Rows and steps: the same again, less, and more than there was memory for."""


@pytest.mark.parametrize("name", ["larnn-har", "lstm-har"])
def test_whatever_shape_was_bound_before(name: str) -> None:
    native.need_kernels()
    model = load_model(Repository(live.ROOT / "models").newest(name), "cpu")
    backend, contract = model.backend, model.manifest.contract
    assert backend.operator == "native"
    generator = np.random.default_rng(0)

    def fresh() -> State:
        return {tensor.name: tensor.initial_array(SLOTS) for tensor in contract.state}

    ours, copies = fresh(), fresh()
    kept = []
    for turn, (rows, steps) in enumerate(SHAPES * 2):
        if turn == len(SHAPES):  # as where the arena has grown
            ours = {key: value.copy() for key, value in ours.items()}
        slots = generator.permutation(SLOTS)
        x = generator.normal(size=(rows, steps, contract.input.width)).astype(np.float32)
        lengths = generator.integers(1, steps + 1, rows)
        given = x, lengths
        where = slots[:rows], slots[rows : 2 * rows]
        logits = backend.advance(*given, ours, *where)
        expected = advance_by_copy(backend.run, *given, copies, *where)
        for row, length in enumerate(lengths):
            np.testing.assert_array_equal(logits[row, :length], expected[row, :length])
        for key, value in ours.items():
            np.testing.assert_array_equal(value, copies[key])
        kept.append((logits, logits.copy()))
    for logits, before in kept:  # what was given stays as it was given
        np.testing.assert_array_equal(logits, before)
