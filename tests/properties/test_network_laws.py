"""The laws of the recurrent state: for the networks in torch, and for their graphs."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from larnn_export.families import FAMILIES
from tests import networks
from tests.networks import Advance, Array, State, row_of

BOUND = 1e-5
STEPS = 12
WRITTEN = 1e-3
QUEUE_NAMES = ("keys", "values", "queue")


def queues(name: str) -> list[str]:
    """State tensors that hold an entry for each of the last k steps."""
    return [
        tensor.name
        for tensor in networks.network(name).state_tensors()
        if tensor.name.startswith(QUEUE_NAMES)
    ]


KINDS = [
    *((kind, name) for kind in ("torch", "graph") for name in (*FAMILIES, "position", "raw")),
    ("graph", "layer-mode"),
    ("graph", "batch-norm-position"),
    ("graph", "window-of-one"),
]

QUEUED = [name for name in (*FAMILIES, "position", "one-head", "window-of-one") if queues(name)]

each_kind = pytest.mark.parametrize(("kind", "name"), KINDS)
few = settings(max_examples=8)
cuts = st.lists(st.integers(0, STEPS), max_size=5).map(sorted)
lengths_of_rows = st.lists(st.integers(0, STEPS), min_size=1, max_size=5)
seeds = st.integers(0, 1000)


def runner(kind: str, name: str) -> Advance:
    return networks.in_torch(name) if kind == "torch" else networks.in_graph(name)


def whole(kind: str, name: str, x: Array) -> tuple[Array, State]:
    lengths = np.full(len(x), x.shape[1])
    return runner(kind, name)(x, lengths, networks.initial_state(name, len(x)))


@each_kind
@few
@given(cut=cuts, seed=seeds)
def test_any_cut_gives_the_logits_and_state_of_one_run(
    kind: str, name: str, cut: list[int], seed: int
) -> None:
    x = networks.signal(2, STEPS, seed)
    logits, final = whole(kind, name, x)
    edges, state, pieces = sorted({0, *cut, STEPS}), networks.initial_state(name, 2), []
    for start, end in zip(edges[:-1], edges[1:], strict=True):
        piece, state = runner(kind, name)(x[:, start:end], np.full(2, end - start), state)
        pieces.append(piece)
    assert networks.difference(np.concatenate(pieces, axis=1), logits) < BOUND
    assert networks.state_difference(state, final) < BOUND


@each_kind
@few
@given(lengths=lengths_of_rows, taken=st.integers(0, 5), seed=seeds)
def test_rows_together_equal_each_row_alone(
    kind: str, name: str, lengths: list[int], taken: int, seed: int
) -> None:
    """Ragged lengths, and states that come from different pasts."""
    rows, advance = len(lengths), runner(kind, name)
    steps = max(1, *lengths) if rows > 1 else max(1, lengths[0])
    past = np.arange(rows) * taken % 6
    _, state = advance(networks.signal(rows, 6, seed + 1), past, networks.initial_state(name, rows))
    x = networks.signal(rows, steps, seed)
    logits, after = advance(x, np.array(lengths), state)
    for row, length in enumerate(lengths):
        if length == 0:
            assert networks.state_difference(row_of(after, row), row_of(state, row)) == 0
            continue
        alone, moved = advance(x[[row], :length], np.array([length]), row_of(state, row))
        assert networks.difference(logits[row, :length], alone[0]) < BOUND
        assert networks.state_difference(row_of(after, row), moved) < BOUND


@each_kind
@few
@given(taken=st.integers(1, STEPS - 1), seed=seeds)
def test_a_state_saved_and_restored_goes_on_the_same(
    kind: str, name: str, taken: int, seed: int
) -> None:
    x, advance = networks.signal(1, STEPS, seed), runner(kind, name)
    _, state = advance(x[:, :taken], np.array([taken]), networks.initial_state(name, 1))
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **state)
    with np.load(io.BytesIO(file.getvalue()), allow_pickle=False) as restored:
        loaded = {tensor: restored[tensor] for tensor in state}
    rest = np.array([STEPS - taken])
    logits, final = advance(x[:, taken:], rest, state)
    same, final_restored = advance(x[:, taken:], rest, loaded)
    np.testing.assert_array_equal(same, logits)
    for tensor, value in final.items():
        np.testing.assert_array_equal(final_restored[tensor], value)


@pytest.mark.parametrize("kind", ["torch", "graph"])
@pytest.mark.parametrize("name", QUEUED)
@few
@given(steps=st.integers(1, 7), seed=seeds)
def test_first_in_first_out(kind: str, name: str, steps: int, seed: int) -> None:
    """Each step shifts a queue by one slot; after k steps what it held is gone."""
    k, advance = networks.config(name).window_size, runner(kind, name)
    past = networks.signal(1, 6, seed)
    _, before = advance(past, np.array([6]), networks.initial_state(name, 1))
    _, after = advance(networks.signal(1, steps, seed + 1), np.array([steps]), before)
    kept = max(k - steps, 0)
    for queue in queues(name):
        np.testing.assert_array_equal(after[queue][:, :kept], before[queue][:, k - kept :])
        newer = after[queue][0, kept:]
        assert not any((entry == old).all() for entry in newer for old in before[queue][0])
    for filled in (tensor for tensor in after if tensor.startswith("filled")):
        assert after[filled].tolist() == [min(6 + steps, k)]


@pytest.mark.parametrize("kind", ["torch", "graph"])
@few
@given(seed=seeds)
def test_a_memory_is_written_where_it_was_used_least(kind: str, seed: int) -> None:
    """Of a network that starts to write, each step fills the next free slots, in their order."""
    name, advance = "mann", runner(kind, "mann")
    config, state = networks.config(name), networks.initial_state(name, 1)
    for step in range(config.memory_slots // config.heads):
        _, state = advance(networks.signal(1, 1, seed + step), np.array([1]), state)
        written = np.abs(state["memory_0"][0]).max(axis=1) > WRITTEN
        first = config.heads * step
        assert written[first : first + config.heads].all()
        usage = state["usage_0"][0]
        assert (
            usage[first : first + config.heads] > usage[first + config.heads :].max(initial=0)
        ).all()
