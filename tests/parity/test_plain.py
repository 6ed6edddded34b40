"""The network, which keeps keys and values, against the paper's form, which keeps cell states."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from larnn_export.families.larnn.plain import plain_forward, projected_state
from larnn_export.families.loop import Tensors
from larnn_export.networks import RecurrentClassifier
from tests import networks

BOUND = 1e-5


def classifier(name: str) -> RecurrentClassifier:
    network = networks.network(name)
    assert isinstance(network, RecurrentClassifier)
    return network


def signal(steps: int, seed: int) -> Tensor:
    return torch.from_numpy(networks.signal(3, steps, seed))


def agree(mine: Tensors, plain: Tensors) -> bool:
    return all(
        networks.difference(a.numpy(), b.numpy()) < BOUND for a, b in zip(mine, plain, strict=True)
    )


@pytest.mark.parametrize("name", networks.LARNNS)
def test_from_an_empty_queue_until_the_first_is_forgotten(name: str) -> None:
    network = classifier(name)
    state, plain = network.initial_state(3), None
    k = networks.config(name).window_size
    for seed, steps in enumerate((1, k, k + 2)):
        x = signal(steps, seed)
        logits, state = network(x, state)
        expected, plain = plain_forward(network, x, plain)
        assert agree((logits, *state), (expected, *projected_state(network, plain)))


@pytest.mark.parametrize("name", networks.LARNNS)
@pytest.mark.parametrize("full", [False, True])
def test_the_network_goes_on_from_the_papers_state(name: str, full: bool) -> None:
    network = classifier(name)
    k = networks.config(name).window_size
    _, plain = plain_forward(network, signal(k + 3 if full else max(k - 1, 1), 0))
    assert all(bool((layer.filled == k).all()) == (full or k == 1) for layer in plain)
    x = signal(5, 1)
    logits, state = network(x, projected_state(network, plain))
    expected, plain = plain_forward(network, x, plain)
    assert agree((logits, *state), (expected, *projected_state(network, plain)))


def test_only_a_larnn_has_a_plain_form() -> None:
    with pytest.raises(ValueError, match="lstm has no queue"):
        plain_forward(classifier("lstm"), signal(1, 0))
