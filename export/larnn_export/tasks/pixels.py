"""Pixel-by-pixel MNIST: a digit read in reading order, one grey value a step."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from larnn_export.data.mnist import STEPS, load_mnist
from larnn_export.families import NetworkConfig, configure
from larnn_export.networks import RecurrentClassifier
from larnn_export.tasks.task import TEST_BATCH, Batch, Budget, Measured, Shuffled, share_right

BUDGET = Budget(updates=600, batch_size=64, learning_rate=3e-3, decay=True, measure_every=50)


class Pixels:
    """The first images of the test set draw the curve."""

    measured: Measured = "accuracy"

    def __init__(
        self,
        data: Path | None = None,
        budget: Budget = BUDGET,
        hidden_size: int = 64,
        tested: int = 500,
    ) -> None:
        self.name, self.budget, self.tested = "mnist", budget, tested
        self._hidden_size = hidden_size
        self._train = [torch.from_numpy(array) for array in load_mnist("train", data)]
        images, digits = (torch.from_numpy(array[:tested]) for array in load_mnist("test", data))
        self._test = [
            _batch(*pair)
            for pair in zip(images.split(TEST_BATCH), digits.split(TEST_BATCH), strict=True)
        ]
        self._rows = Shuffled(len(self._train[1]), budget.batch_size)

    def network(self, family: str) -> NetworkConfig:
        return configure(
            {
                "family": family,
                "channels": 1,
                "classes": 10,
                "hidden_size": self._hidden_size,
                "layers": 1,
                "window_size": 10,
                "longest_memory": STEPS,
            }
        )

    def batch(self, generator: torch.Generator) -> Batch:
        rows = self._rows.next(generator)
        return _batch(*(tensor[rows] for tensor in self._train))

    def loss(self, answers: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(answers, target)

    def measure(self, network: RecurrentClassifier) -> float:
        return share_right(network, self._test)

    def save(self, run: Path) -> None:
        """Nothing: its inputs are what they are."""


def _batch(images: Tensor, digits: Tensor) -> Batch:
    return Batch(images, torch.full((len(images),), images.shape[1] - 1), digits)
