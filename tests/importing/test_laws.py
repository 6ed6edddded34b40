"""The laws of streams hold for imported graphs, however steps are cut, whoever is beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from larnn_export.importing import Options, import_graph
from larnn_service.backend.model_repository import load_model
from larnn_service.interfaces import Model
from tests.importing import graphs

KINDS: list[tuple[Callable[[Path], Path], dict[str, Any]]] = [
    (graphs.one_step, {}),
    (graphs.fixed_batch, {}),
    (graphs.batch_last, {}),
    (graphs.layers_first, {}),
    (graphs.sequence, {}),
    (graphs.sequence, {"rows": "alone"}),
    (graphs.running_sum, {}),
    (graphs.branches, {"input": {"frame": 3, "overlap": 3}, "constants": {"sr": 16000}}),
    (graphs.branches, {"input": {"frame": 1, "overlap": 5}, "constants": {"sr": 16000}}),
]


@pytest.fixture(scope="module", params=KINDS, ids=lambda kind: kind[0].__name__)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    write, said = request.param
    folder = tmp_path_factory.mktemp("law")
    options = Options.model_validate({"name": "law", **said})
    return load_model(import_graph(write(folder), options, folder / "models").folder, "cpu")


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.integers(0, 6), min_size=3, max_size=3), min_size=1, max_size=5),
    st.integers(0, 2**31),
)
def test_chunks_of_any_size_beside_others_answer_as_each_row_alone(
    model: Model, chunks: list[list[int]], seed: int
) -> None:
    """`chunks` has the lengths of three rows for each run."""
    random = np.random.default_rng(seed)
    width, totals = model.manifest.contract.input.width, np.sum(chunks, axis=0)
    rows = [random.normal(0, 1, (total, width)).astype(np.float32) for total in totals]
    found: list[list[Any]] = [[], [], []]
    state = _stacked([model.initial] * 3)
    done = [0, 0, 0]
    for lengths in chunks:
        x = random.normal(0, 1, (3, max(1, *lengths), width)).astype(np.float32)
        for row, length in enumerate(lengths):
            x[row, :length] = rows[row][done[row] : done[row] + length]
            done[row] += length
        columns, state = model.backend.run(x, np.array(lengths), state)
        for row, length in enumerate(lengths):
            found[row].append(columns[row, :length])
    for row, steps in enumerate(rows):
        before = _stacked([model.initial])
        if not len(steps):
            steps = np.zeros((1, width), np.float32)
        wanted, after = model.backend.run(steps[None], totals[row : row + 1], before)
        np.testing.assert_allclose(
            np.concatenate(found[row]), wanted[0, : totals[row]], rtol=1e-5, atol=1e-5
        )
        for name, tensor in after.items():
            np.testing.assert_allclose(state[name][row], tensor[0], rtol=1e-5, atol=1e-5)


def _stacked(states: list[Any]) -> dict[str, Any]:
    return {name: np.stack([state[name] for state in states]) for name in states[0]}
