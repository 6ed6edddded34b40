"""The written-out backward pass of RRA against autograd through the plain loop."""

from __future__ import annotations

import torch

from larnn_export.networks import NetworkConfig, RecurrentClassifier
from tests.gradients import results


def test_outputs_and_gradients_equal_autograd() -> None:
    torch.manual_seed(0)
    config = NetworkConfig(family="rra", hidden_size=6, layers=2, window_size=4)
    network = RecurrentClassifier(config).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    x, lengths = torch.randn(3, 9, 9, dtype=torch.float64), torch.tensor([9, 5, 0])
    state = tuple(
        torch.randn(tensor.shape, dtype=torch.float64).requires_grad_()
        for tensor in network.initial_state(3)
    )
    written = results(network.train(), x, state, lengths)
    plain = results(network.eval(), x, state, lengths)
    for mine, theirs in zip(written, plain, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)
