"""The operators against the plain graph and the network in double precision."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from larnn_export.families import NetworkConfig, configure
from larnn_export.families.larnn.config import LARNNConfig
from larnn_export.families.lstm import LSTMConfig
from larnn_export.networks import RecurrentClassifier
from larnn_service import native as native_library
from tests import networks
from tests.kernels import native

BOUND = 2e-6
"""Against double precision, relative to max(1, |value|)."""
ANY = 1e-5
"""The same where a network of any shape, or a layer norm, may amplify what rounding leaves."""
SHAPES = {
    "n81 h27 k38": {"hidden_size": 81, "heads": 27, "window_size": 38, "normalisation": "batch"},
    "n96 h12 k16": {"hidden_size": 96, "heads": 12, "window_size": 16, "normalisation": "batch"},
    "n64 h8 k16": {"hidden_size": 64, "heads": 8, "window_size": 16, "normalisation": "none"},
    "lstm n96": {"family": "lstm", "hidden_size": 96},
}

configs = st.builds(
    lambda heads, head_size, **rest: LARNNConfig(
        hidden_size=heads * head_size, heads=heads, **rest
    ),
    heads=st.integers(1, 20),
    head_size=st.integers(1, 6),
    layers=st.just(1),
    window_size=st.integers(1, 9),
    normalisation=st.sampled_from(["none", "batch"]),
    mode=st.sampled_from(["residual", "layer"]),
    activate_keys_values=st.booleans(),
    zero_attention=st.just(False),
)
lstms = st.builds(
    lambda n, layers: LSTMConfig(hidden_size=n, layers=layers),
    n=st.integers(1, 40),
    layers=st.integers(1, 2),
)
lengths_of_rows = st.lists(st.integers(0, 20), min_size=1, max_size=11)


@cache
def sessions(shape: str) -> tuple[RecurrentClassifier, dict[str, Any]]:
    config = configure({"family": "larnn", "layers": 3, "zero_attention": False, **SHAPES[shape]})
    network = networks.random_network(config)
    return network, {level: native.open_native(network, level) for level in native.levels_here()}


@pytest.mark.parametrize("level", native_library.LEVELS)
@pytest.mark.parametrize("shape", SHAPES)
@settings(max_examples=4)
@given(lengths=lengths_of_rows, seed=st.integers(0, 1000))
def test_each_level_equals_double_precision(
    shape: str, level: str, lengths: list[int], seed: int
) -> None:
    native.need_kernels()
    network, by_level = sessions(shape)
    if level not in by_level:
        pytest.skip(f"this processor has no {level}")
    _compare(network, by_level[level], lengths, seed, BOUND)


@settings(max_examples=20)
@given(config=configs | lstms, lengths=lengths_of_rows, seed=st.integers(0, 1000))
def test_any_shape_equals_double_precision(
    config: NetworkConfig, lengths: list[int], seed: int
) -> None:
    network = networks.random_network(config)
    _compare(network, native.open_native(network), lengths, seed, ANY)


@pytest.mark.parametrize("name", [*networks.LARNNS, *networks.LSTMS])
def test_each_option_equals_the_plain_graph_over_ragged_chunks(name: str) -> None:
    session = native.open_native(networks.random_network(networks.config(name)))
    state = plain_state = networks.initial_state(name, 3)
    for seed, steps in enumerate([(1, 1, 1), (4, 2, 0), (7, 7, 7), (1, 0, 1), (3, 9, 5)]):
        lengths = np.array(steps)
        x = networks.signal(3, lengths.max(), seed)
        expected, plain_state = networks.in_graph(name)(x, lengths, plain_state)
        logits, state = native.advance(session, x, lengths, state)
        for row, length in enumerate(lengths):
            assert networks.difference(logits[row, :length], expected[row, :length]) < ANY
        assert networks.state_difference(state, plain_state) < ANY


def _compare(
    network: RecurrentClassifier, session: Any, lengths: list[int], seed: int, bound: float
) -> None:
    x = networks.signal(len(lengths), max(1, *lengths, 1), seed)
    state = native.random_state(network, len(lengths), seed)
    expected, expected_state = native.in_float64(network, x, np.array(lengths), state)
    logits, after = native.advance(session, x, np.array(lengths), state)
    for row, length in enumerate(lengths):
        assert networks.difference(logits[row, :length], expected[row, :length]) < bound
    assert networks.state_difference(after, expected_state) < bound
