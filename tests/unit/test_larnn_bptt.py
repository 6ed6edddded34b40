"""The written-out backward pass against autograd through the plain loop."""

from __future__ import annotations

import pytest
import torch

from larnn_export.networks import NetworkConfig, RecurrentClassifier
from larnn_export.networks.larnn_layer import LARNNLayer
from tests.gradients import results

CONFIG = NetworkConfig(hidden_size=8, window_size=3, heads=2, zero_attention=False)


@pytest.mark.parametrize("normalisation", ["layer", "none"])
@pytest.mark.parametrize("mode", ["residual", "layer"])
@pytest.mark.parametrize("fresh", [True, False])
def test_outputs_and_gradients_equal_autograd(
    normalisation: str, mode: str, fresh: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    changed = {"mode": mode, "normalisation": normalisation}
    config = NetworkConfig.model_validate({**CONFIG.model_dump(), **changed})
    network = RecurrentClassifier(config).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.2)
    x, lengths = torch.randn(3, 7, 9, dtype=torch.float64), torch.tensor([7, 3, 0])
    state = tuple(
        (torch.zeros if fresh else torch.randn)(t.shape, dtype=torch.float64).requires_grad_()
        if t.is_floating_point()
        else torch.tensor([0, 0, 0] if fresh else [0, 1, 3])
        for t in network.initial_state(3)
    )
    written = results(network, x, state, lengths)
    monkeypatch.setattr(LARNNLayer, "_has_written_backward", lambda self: False)
    for mine, theirs in zip(written, results(network, x, state, lengths), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-9, atol=1e-11)
