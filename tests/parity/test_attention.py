"""The graph that shows attention, against the network's own weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch.nn import functional as F

from larnn_export.families.larnn.layer import LARNNLayer
from larnn_export.graph import attention_graph, build_graph
from larnn_export.networks import RecurrentClassifier
from larnn_export.publish import contract_of
from larnn_service.contract import ATTENTION, INPUT, LENGTHS
from tests import networks

STEPS = 11


def weights(name: str, x: Any, lengths: Any, state: dict[str, Any]) -> Any:
    network = networks.network(name)
    graph = attention_graph(build_graph(network, contract_of(network)))
    assert graph is not None
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    feeds = {INPUT: x, LENGTHS: lengths, **state}
    names = [tensor.name for tensor in session.get_inputs()]
    return session.run([ATTENTION], {name: feeds[name] for name in names})[0]


@pytest.mark.parametrize("name", ["larnn", "width-of-16-larnn", "odd-width"])
def test_the_first_layers_weights_are_its_query_on_its_keys(name: str) -> None:
    network = networks.network(name)
    assert isinstance(network, RecurrentClassifier)
    layer = network.layers[0]
    assert isinstance(layer, LARNNLayer)
    config = layer.config
    x, lengths = networks.signal(2, STEPS), np.array([STEPS, STEPS])
    shown = weights(name, x, lengths, networks.initial_state(name, 2))
    assert shown.shape == (2, config.layers, config.heads, config.window_size)
    before = networks.initial_state(name, 2)
    _, before = networks.in_graph(name)(x[:, :-1], lengths - 1, before)
    with torch.no_grad():
        z = network.input(torch.from_numpy(x[:, -1]))
        query_of = torch.cat([z, torch.from_numpy(before["hidden_0"])], dim=1)
        query = F.elu(layer.cell.q_proj(query_of)).unflatten(1, (config.heads, -1))
        keys = torch.from_numpy(before["keys_0"]).unflatten(2, (-1, config.heads))
        scores = torch.einsum("bhd,bkdh->bhk", query, keys) / config.head_size**0.5
    expected = scores.softmax(dim=2).numpy()
    np.testing.assert_allclose(shown[:, 0], expected, atol=1e-5)


def test_a_row_is_shown_at_its_own_length_and_looks_at_filled_slots_alone() -> None:
    x, lengths = networks.signal(2, STEPS), np.array([STEPS, 3])
    together = weights("larnn", x, lengths, networks.initial_state("larnn", 2))
    alone = weights("larnn", x[1:, :3], lengths[1:], networks.initial_state("larnn", 1))
    np.testing.assert_allclose(together[1], alone[0], atol=1e-6)
    np.testing.assert_allclose(together.sum(axis=-1), 1, atol=1e-6)
    assert not alone[..., :-2].any()  # two steps came before the third


def test_a_network_without_attention_has_no_such_graph() -> None:
    network = networks.network("lstm")
    assert attention_graph(build_graph(network, contract_of(network))) is None
