"""The native loop with its backward pass against autograd through the plain loop."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from export.networks import NetworkConfig, RecurrentClassifier
from export.networks.larnn_layer import LARNNLayer
from export.networks.larnn_native import lanes
from tests.gradients import results

CONFIG = NetworkConfig(
    hidden_size=8, window_size=3, heads=2, normalisation="none", zero_attention=False
)


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"hidden_size": 22},
        {"hidden_size": 104, "layers": 1},
        {"positional_encoding": True},
        {"activate_keys_values": False},
        {"activate_keys_values": False, "positional_encoding": True},
        {"heads": 1, "window_size": 1},
        {"coupled_gates": True, "mode": "layer"},
    ],
    ids=str,
)
@pytest.mark.parametrize("fresh", [True, False])
def test_outputs_and_gradients_equal_autograd(
    changed: dict[str, Any], fresh: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    config = NetworkConfig.model_validate({**CONFIG.model_dump(), **changed})
    assert lanes() % config.heads == 0, "make kernels"
    network = RecurrentClassifier(config)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    rows = 11  # more than a tile
    x, lengths = torch.randn(rows, 7, 9), torch.tensor([7, 3, 0, *[7] * 8])
    state = tuple(
        (torch.zeros if fresh else torch.randn)(tensor.shape)
        if tensor.is_floating_point()
        else (torch.zeros if fresh else torch.randint)(*(() if fresh else (0, config.window_size + 1)), (rows,)).long()
        for tensor in network.initial_state(rows)
    )
    def run(dtype):
        net = RecurrentClassifier(config).to(dtype)
        net.load_state_dict(network.state_dict())
        return results(net, x.to(dtype), tuple(t.to(dtype).requires_grad_() if t.is_floating_point() else t for t in state), lengths)
    native = run(torch.float32)
    monkeypatch.setattr(LARNNLayer, "_has_native_loop", lambda *_: False)
    monkeypatch.setattr(LARNNLayer, "_has_written_backward", lambda *_: False)
    for i,(mine, theirs) in enumerate(zip(native, run(torch.float64), strict=True)):
        scale = max(theirs.abs().max().item(), 1.0)
        assert mine.shape==theirs.shape
        assert (mine - theirs).abs().max().item() < 1e-5 * scale,(i,(mine - theirs).abs().max().item())
