"""The adding problem: two of T random numbers are marked; after the last step, say their sum."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from larnn_export.families import NetworkConfig, configure
from larnn_export.networks import RecurrentClassifier
from larnn_export.tasks.task import Batch, Budget, Measured

LENGTHS = (100, 200, 400)
SOLVED = 0.01
"""Squared error; always answering 1 has 1/6."""
TESTED = 500
BUDGET = Budget(
    updates=5_000,
    batch_size=32,
    learning_rate=1e-2,
    decay=False,
    measure_every=50,
    stop_below=SOLVED,
)


def adding_problem(count: int, steps: int, generator: torch.Generator) -> Batch:
    """x [count, steps, 2]: numbers from 0 to 1, and a mark on one of each half's; their sums."""
    numbers = torch.rand(count, steps, generator=generator)
    half = steps // 2
    first = torch.randint(0, half, (count, 1), generator=generator)
    second = torch.randint(half, steps, (count, 1), generator=generator)
    marked = torch.cat([first, second], dim=1)
    marks = torch.zeros(count, steps).scatter_(1, marked, 1.0)
    last = torch.full((count,), steps - 1)
    return Batch(torch.stack([numbers, marks], dim=-1), last, numbers.gather(1, marked).sum(1))


class Adding:
    """Of one length. Generated, so that no sequence is learned from twice."""

    measured: Measured = "error"

    def __init__(self, steps: int, budget: Budget = BUDGET, hidden_size: int = 32) -> None:
        self.name, self.steps, self.budget = f"adding-{steps}", steps, budget
        self.tested = TESTED
        self._hidden_size = hidden_size
        self._test = adding_problem(TESTED, steps, torch.Generator().manual_seed(10**6))

    def network(self, family: str) -> NetworkConfig:
        return configure(
            {
                "family": family,
                "channels": 2,
                "classes": 1,
                "hidden_size": self._hidden_size,
                "layers": 1,
                "window_size": 10,
                "longest_memory": self.steps,
            }
        )

    def batch(self, generator: torch.Generator) -> Batch:
        return adding_problem(self.budget.batch_size, self.steps, generator)

    def loss(self, answers: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(answers[:, 0], target)

    @torch.no_grad()
    def measure(self, network: RecurrentClassifier) -> float:
        return self.loss(self._test.answers(network), self._test.target).item()

    def save(self, run: Path) -> None:
        """Nothing: its inputs are what they are."""
