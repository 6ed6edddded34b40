"""What every family of layer keeps to, in torch."""

from __future__ import annotations

import pytest
import torch

from larnn_export.families import FAMILIES
from tests import networks

each_family = pytest.mark.parametrize("family", FAMILIES)


@each_family
def test_state_has_the_declared_shapes(family: str) -> None:
    network = networks.network(family)
    logits, after = network(torch.from_numpy(networks.signal(3, 5)))
    assert logits.shape == (3, 5, network.config.classes)
    for tensor, value in zip(network.state_tensors(), after, strict=True):
        assert value.shape == (3, *tensor.shape)
        assert str(value.dtype) == f"torch.{tensor.dtype}"


@each_family
def test_every_parameter_learns(family: str) -> None:
    network = networks.random_network(networks.config(family)).train()
    for parameter in network.parameters():
        parameter.requires_grad_()
    logits, _ = network(torch.from_numpy(networks.signal(4, 7)))
    (logits * torch.linspace(-1, 1, logits.numel()).view_as(logits)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@each_family
def test_full_rows_need_no_lengths(family: str) -> None:
    network, x = networks.network(family), torch.from_numpy(networks.signal(2, 6))
    logits, after = network(x)
    same, also = network(x, lengths=torch.tensor([6, 6]))
    torch.testing.assert_close(logits, same, rtol=0, atol=1e-5)
    for mine, other in zip(after, also, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-5)
