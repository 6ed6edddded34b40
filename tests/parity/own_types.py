"""Modules that people bring, of other types than float32."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.parity.own_contracts import Answer
from tests.parity.own_modules import Recurrent


class Precise(nn.Module):
    """float64 inside."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner.double()

    def forward(self, x: Tensor, hidden: Tensor) -> Answer:
        logits, hidden = self.inner(x.double(), hidden)
        return logits.float(), hidden


class Half(nn.Module):
    """float16 inside."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Recurrent().half()

    def forward(self, x: Tensor, hidden: Tensor) -> Answer:
        logits, hidden = self.inner(x.half(), hidden.half())
        return logits.float(), hidden.float()


class SmallState(nn.Module):
    """What it remembers takes a byte or two."""

    def forward(self, x: Tensor, rose: Tensor, sign: Tensor, half: Tensor) -> Answer:
        answers = []
        for step in range(x.shape[1]):
            now = x[:, step]
            answers.append(torch.cat([rose.float().mean(1, keepdim=True), sign + half.float()], 1))
            rose, sign = now > half.float(), now.sign().to(torch.int8)
            half = (0.5 * half.float() + now).half()
        return torch.stack(answers, 1), rose, sign, half
