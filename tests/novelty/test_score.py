"""The score: numpy over a recording, torch and the graph step by step, and what it tells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from larnn_export.families import configure
from larnn_export.graph import build_graph
from larnn_export.networks import RecurrentClassifier, WithNovelty
from larnn_export.novelty.prototypes import fit
from larnn_export.novelty.score import Score, remembered
from larnn_export.novelty.statistics import Statistics
from larnn_export.onnx_run import Session
from larnn_export.publish import contract_of
from larnn_export.verify import verify
from larnn_service.contract import INPUT, LENGTHS, Contract
from larnn_service.inputs import Input
from larnn_service.outputs import Channel

CHANNELS, RATE = 3, 50.0
RANDOM = np.random.default_rng(0)
TAUGHT = (RANDOM.normal(0, [1, 0.1, 0.01], (3000, CHANNELS)) + [0, 5, -2]).astype(np.float32)
LABELS = np.repeat([0, 1], 1500)
STEPS = 40


def score(memory_seconds: float = 3.0) -> Score:
    statistics = Statistics(TAUGHT.mean(0), TAUGHT.std(0), (0.1, 1.0), RATE)
    prototypes = fit(statistics.of_recording(TAUGHT), LABELS, 2, 0.1)
    return Score(statistics, prototypes, memory_seconds, 2.0)


def network(mine: Score) -> WithNovelty:
    torch.manual_seed(0)
    sizes = {"channels": CHANNELS, "classes": 2, "hidden_size": 4, "layers": 1}
    config = configure({"family": "gru", **sizes})
    return WithNovelty(RecurrentClassifier(config), mine).eval()


def contract(mine: WithNovelty) -> Contract:
    own = contract_of(mine, unsure_above=2.0)
    channels = tuple(Channel(name=f"c{index}", unit="g") for index in range(CHANNELS))
    [logits, novelty] = own.outputs
    two = logits.model_copy(update={"labels": logits.labels[:2]})
    step = Input(channels=channels)
    return own.model_copy(update={"input": step, "outputs": (two, novelty)})


class Graph:
    """The graph of a score, run on."""

    def __init__(self, memory_seconds: float = 3.0) -> None:
        mine = network(score(memory_seconds))
        self.contract = contract(mine)
        self.model = build_graph(mine, self.contract)
        self.session = Session(self.model.SerializeToString())

    def start(self) -> dict[str, NDArray[np.float64]]:
        return {name: value[None] for name, value in self.contract.initial_state().items()}

    def run(
        self, steps: NDArray[np.float32], state: dict[str, NDArray[np.float64]]
    ) -> tuple[NDArray[np.float32], dict[str, NDArray[np.float64]]]:
        names = ["novelty", *(tensor.next_name for tensor in self.contract.state)]
        feeds = {INPUT: steps[None], LENGTHS: np.array([len(steps)]), **state}
        novelty, *after = self.session.run(names, feeds)
        return novelty[0, :, 0], dict(zip(state, after, strict=True))


@pytest.fixture(scope="module")
def graph() -> Graph:
    return Graph()


@pytest.mark.parametrize("memory_seconds", [0.0, 3.0])
def test_graph_torch_and_numpy_agree(memory_seconds: float) -> None:
    mine = network(score(memory_seconds))
    parity = verify(mine, build_graph(mine, contract(mine)))
    assert parity.outputs["novelty"] < 1e-5 and parity.state < 1e-5
    graph = Graph(memory_seconds)
    found, _ = graph.run(TAUGHT[:STEPS], graph.start())
    expected = score(memory_seconds).of_recording(TAUGHT[:STEPS])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    with torch.no_grad():
        _, novelty, _ = mine(torch.from_numpy(TAUGHT[None, :STEPS]), mine.initial_state(1))
    np.testing.assert_allclose(novelty[0, :, 0], expected, rtol=1e-4, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, STEPS - 1), unique=True).map(sorted))
def test_however_a_stream_is_cut_its_novelty_is_the_same(cuts: list[int]) -> None:
    graph = Graph()
    whole, end = graph.run(TAUGHT[:STEPS], graph.start())
    state, parts = graph.start(), []
    for part in np.split(TAUGHT[:STEPS], cuts):
        novelty, state = graph.run(part, state)
        parts.append(novelty)
    np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-5, atol=1e-6)
    for name, value in state.items():
        np.testing.assert_allclose(value, end[name], rtol=1e-5, atol=1e-6)


def test_what_is_as_in_training_is_near_and_all_else_is_far(graph: Graph) -> None:
    random = np.random.default_rng(1)
    spread, middle = TAUGHT.std(0), TAUGHT.mean(0)

    def last(steps: NDArray[np.float64]) -> float:
        novelty, _ = graph.run(steps.astype(np.float32), graph.start())
        assert np.isfinite(novelty).all()
        return float(novelty[-1])

    known = last(random.normal(middle, spread, (200, CHANNELS)))
    assert known < 2
    assert last(np.tile(middle, (200, 1))) > 2 * known, "no noise at all"
    assert last(random.normal(middle, 3 * spread, (200, CHANNELS))) > 2 * known
    assert last(random.normal(-middle, spread, (200, CHANNELS))) > 2 * known
    alike = random.normal(0, 1, (200, 1)) * spread + middle
    assert last(alike) > 2 * known, "channels that move together"
    assert last(np.full((200, CHANNELS), 1e30)) > 100


def test_a_first_step_counts_whole(graph: Graph) -> None:
    """An average that began at zero would see a step that is not there."""
    steps = np.tile(TAUGHT[:1], (3, 1))
    novelty, _ = graph.run(steps, graph.start())
    np.testing.assert_allclose(novelty, novelty[0], rtol=1e-5)


def test_what_was_strange_once_is_forgotten() -> None:
    distance = np.concatenate([np.full(10, 1e6), np.ones(1000)])
    found = remembered(distance, 1.0, RATE)
    assert found[9] > 1e5
    assert found[10] < 4 and found[-1] == pytest.approx(1)
    np.testing.assert_array_equal(remembered(distance, 0, RATE), distance)


def test_rows_of_a_run_do_not_touch_each_other(graph: Graph) -> None:
    """Of different lengths, padded with what is no step."""
    rows = [TAUGHT[:STEPS], TAUGHT[100:107]]
    x = np.full((2, STEPS, CHANNELS), 7.0, np.float32)
    for row, steps in zip(x, rows, strict=True):
        row[: len(steps)] = steps
    state = {name: np.repeat(value, 2, 0) for name, value in graph.start().items()}
    names = ["novelty", *(tensor.next_name for tensor in graph.contract.state)]
    feeds = {INPUT: x, LENGTHS: np.array([STEPS, 7]), **state}
    novelty, *after = graph.session.run(names, feeds)
    for index, steps in enumerate(rows):
        alone, end = graph.run(steps, graph.start())
        np.testing.assert_allclose(novelty[index, : len(steps), 0], alone, rtol=1e-5)
        for value, expected in zip(after, end.values(), strict=True):
            np.testing.assert_allclose(value[index], expected[0], rtol=1e-5, atol=1e-6)
