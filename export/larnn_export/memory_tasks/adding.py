"""The adding problem as a stream asks it: the sum of the two numbers that were marked last."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from larnn_export.memory_tasks.task import Episodes, MemoryTask, Seen
from larnn_export.tasks.adding import adding_problem

TOLERANCE = 0.04
"""Of a right answer, as in the paper that posed the problem (Hochreiter and Schmidhuber, 1997)."""


@dataclass(frozen=True)
class AddingAsked(MemoryTask):
    """Channels: a number from 0 to 1, a mark on one of each half's, a flag for the question."""

    steps: int = 100

    channels = 3
    outputs = 1
    floor = 2 * TOLERANCE - TOLERANCE**2
    """Of the best constant, 1: the sum of two numbers is within the tolerance of it so often."""

    def __post_init__(self) -> None:
        if self.steps < 2:
            raise ValueError("steps must be 2 or more: two are marked")

    @property
    def name(self) -> str:
        return f"adding-{self.steps}"

    def draw(self, count: int, generator: torch.Generator) -> Episodes:
        batch = adding_problem(count, self.steps, generator)
        x = torch.zeros(count, self.steps + 1, self.channels)
        x[:, :-1, :2] = batch.x
        x[:, -1, 2] = 1
        answers = torch.zeros(count, self.steps + 1)
        answers[:, -1] = batch.target
        return Episodes(x, x[..., 2] == 1, answers)

    def possible(self, seen: Seen) -> tuple[float, ...]:
        marked = np.flatnonzero(seen[:, 1] == 1)[-2:]
        numbers = seen[marked, 0]
        if len(marked) == 2:
            return (float(numbers.sum()),)
        # The number that is not seen lies anywhere from 0 to 1: the middle is as good as any.
        return (float(numbers.sum()) + (2 - len(marked)) / 2,)

    def loss(self, outputs: Tensor, answers: Tensor) -> Tensor:
        return F.mse_loss(outputs[:, 0], answers)

    def right(self, outputs: Tensor, answers: Tensor) -> Tensor:
        return (outputs[:, 0] - answers).abs() < TOLERANCE

    def guessed(self, possible: tuple[float, ...], answer: float) -> float:
        return float(abs(possible[0] - answer) < TOLERANCE)
