"""Training's native loop against autograd through the plain loop."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from larnn_export.families.larnn import native as larnn_native
from larnn_export.families.larnn.config import LARNNConfig
from larnn_export.families.larnn.layer import LARNNLayer
from larnn_export.networks import RecurrentClassifier
from larnn_service import native as native_library
from tests.gradients import results
from tests.kernels.native import levels_here, need_kernels

CONFIG = LARNNConfig(
    hidden_size=8, window_size=3, heads=2, normalisation="none", zero_attention=False
)
ROWS = 11  # more than a tile
LENGTHS = torch.tensor([7, 3, 0, *[7] * (ROWS - 3)])
TOLERANCE = 1e-5
"""Of a tensor's largest number, or of 1."""


@pytest.fixture(params=native_library.LEVELS)
def level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    need_kernels()
    if request.param not in levels_here():
        pytest.skip(f"this processor has no {request.param}")
    monkeypatch.setenv("LARNN_KERNELS_LEVEL", request.param)
    return str(request.param)


def made(**changed: Any) -> RecurrentClassifier:
    torch.manual_seed(0)
    network = RecurrentClassifier(LARNNConfig.model_validate({**CONFIG.model_dump(), **changed}))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return network


def some_state(network: RecurrentClassifier, fresh: bool) -> tuple[Tensor, ...]:
    """Empty, or random with queues filled anyhow."""
    assert isinstance(network.config, LARNNConfig)
    slots = network.config.window_size + 1
    state = network.initial_state(ROWS)
    if fresh:
        return tuple(t.requires_grad_() if t.is_floating_point() else t for t in state)
    return tuple(
        torch.randn(tensor.shape).requires_grad_()
        if tensor.is_floating_point()
        else torch.randint(slots, tensor.shape)
        for tensor in state
    )


@pytest.mark.parametrize("fresh", [True, False])
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
def test_outputs_and_gradients_equal_autograd(
    level: str, changed: dict[str, Any], fresh: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = made(**changed)
    x, state = torch.randn(ROWS, 7, 9), some_state(network, fresh)
    assert larnn_native.runs_native(changed.get("heads", CONFIG.heads), x)
    native = results(network, x, state, LENGTHS)
    monkeypatch.setattr(LARNNLayer, "_has_native_loop", lambda *_: False)
    for mine, theirs in zip(native, results(network, x, state, LENGTHS), strict=True):
        largest = max(theirs.abs().max().item(), 1.0)
        torch.testing.assert_close(mine, theirs, rtol=0, atol=TOLERANCE * largest)


def test_several_threads_run_tiles(level: str) -> None:
    network = made(positional_encoding=True)
    x, state = torch.randn(ROWS, 7, 9), some_state(network, fresh=True)
    alone = results(network, x, state, LENGTHS)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        together = results(network, x, state, LENGTHS)
    finally:
        torch.set_num_threads(before)
    for mine, theirs in zip(together, alone, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=TOLERANCE)  # torch's own sums differ


def test_what_it_cannot_run_goes_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    need_kernels()
    x = torch.randn(2, 3, 9)
    assert not larnn_native.runs_native(3, x)  # heads that do not divide a vector
    assert not larnn_native.runs_native(2, x.double())
    monkeypatch.setenv("LARNN_KERNELS_LEVEL", "none")
    assert not larnn_native.runs_native(2, x)
    made()(x)
