"""What a task is: batches to learn from, and how far a network has come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from larnn_export.networks import NetworkConfig, RecurrentClassifier

Measured = Literal["error", "accuracy"]
TEST_BATCH = 250


class Budget(BaseModel):
    """How long and how a network learns; the same for both."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    updates: int = Field(ge=1)
    batch_size: int = Field(ge=1)
    learning_rate: float = Field(gt=0)
    decay: bool
    """A cosine fall of the learning rate to zero, or none."""
    clip_norm: float = Field(1.0, gt=0)
    measure_every: int = Field(ge=1)
    """Updates from one point of the learning curve to the next."""
    stop_below: float | None = None
    """Stop when what is measured is below."""


@dataclass(frozen=True)
class Batch:
    """Sequences side by side; the answer of row i is that of its step last[i]."""

    x: Tensor  # [batch, steps, channels]
    last: Tensor  # [batch] int64
    target: Tensor  # [batch]

    def answers(self, network: RecurrentClassifier) -> Tensor:
        """[batch, outputs] after each row's last step."""
        outputs: Tensor = network(self.x)[0]
        return outputs[torch.arange(len(self.last)), self.last]


class Task(Protocol):
    """One task, its data loaded."""

    name: str
    """Of its runs, such as adding-100."""
    measured: Measured
    tested: int
    """Sequences that it is measured on."""
    budget: Budget

    def network(self, family: str) -> NetworkConfig: ...

    def batch(self, generator: torch.Generator) -> Batch:
        """The next one to learn from."""
        ...

    def loss(self, answers: Tensor, target: Tensor) -> Tensor: ...

    def measure(self, network: RecurrentClassifier) -> float:
        """On sequences that are not learned from."""
        ...

    def save(self, run: Path) -> None:
        """What a trained network needs beside its weights."""
        ...


class Shuffled:
    """Rows of a training set: each once before any comes again."""

    def __init__(self, rows: int, batch_size: int) -> None:
        self._rows, self._batch_size = rows, batch_size
        self._order = torch.empty(0, dtype=torch.int64)

    def next(self, generator: torch.Generator) -> Tensor:
        """The next batch_size rows."""
        while len(self._order) < self._batch_size:
            again = torch.randperm(self._rows, generator=generator)
            self._order = torch.cat([self._order, again])
        taken = self._order[: self._batch_size]
        self._order = self._order[self._batch_size :]
        return taken


@torch.no_grad()
def share_right(network: RecurrentClassifier, batches: list[Batch]) -> float:
    """How often the largest output is that of the right class."""
    right = torch.cat([batch.answers(network).argmax(1) == batch.target for batch in batches])
    return float(right.double().mean())
