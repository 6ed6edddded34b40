"""What a network gives, and its derivative, to compare one way of computing with another."""

from __future__ import annotations

import torch
from torch import Tensor

from larnn_export.networks import RecurrentClassifier


def results(
    network: RecurrentClassifier, x: Tensor, state: tuple[Tensor, ...], lengths: Tensor
) -> list[Tensor]:
    """Logits, next state, and gradients of a random functional of both."""
    logits, after = network(x, state, lengths)
    outputs = [logits, *(tensor for tensor in after if tensor.is_floating_point())]
    generator = torch.Generator().manual_seed(1)
    loss = torch.stack(
        [
            (out * torch.randn(out.shape, dtype=torch.float64, generator=generator).to(out)).sum()
            for out in outputs
        ]
    ).sum()
    inputs = [*network.parameters(), *(t for t in state if t.requires_grad)]
    return [logits, *after, *torch.autograd.grad(loss, inputs)]
