"""What a task that asks for memory is: episodes with questions, and what their answers need."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

Seen = NDArray[np.float32]
"""Steps [steps, channels] up to a question, which is the last of them."""


@dataclass(frozen=True)
class Episodes:
    """Sequences side by side, and the steps at which each is asked."""

    x: Tensor
    """[count, steps, channels] float32."""
    asked: Tensor
    """[count, steps] bool."""
    answers: Tensor
    """[count, steps] float32: the class, or the value, where it is asked; 0 elsewhere."""

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class MemoryTask(ABC):
    """A generator of episodes. Every answer is decided by steps before the question alone.

    The fields of a task are its sizes.

    Episodes may follow one another in an endless stream: what a question means is always the last
    of its kind, so that no episode has to be marked as the first.
    """

    outputs: ClassVar[int]
    """Classes, or 1 where the answer is a value."""
    floor: ClassVar[float]
    """The expected share of right answers of one who remembers nothing."""
    ceiling: ClassVar[float] = 1.0
    """The share of right answers that perfect memory reaches at least."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Of the task with its sizes, in results."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """What it shows at each step."""

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Episodes:
        """So many new episodes."""

    @abstractmethod
    def possible(self, seen: Seen) -> tuple[float, ...]:
        """The answers that the steps seen leave possible, to guess evenly among; one is decided.

        A part of what was told counts as nothing, so that this says less than there may be to see.
        """

    def loss(self, outputs: Tensor, answers: Tensor) -> Tensor:
        """Of outputs [questions, outputs] for answers [questions]."""
        return F.cross_entropy(outputs, answers.long())

    def right(self, outputs: Tensor, answers: Tensor) -> Tensor:
        """[questions] bool."""
        return outputs.argmax(-1) == answers.long()

    def guessed(self, possible: tuple[float, ...], answer: float) -> float:
        """The chance that a guess among what is possible is right."""
        return (answer in possible) / len(possible)


def within_reach(task: MemoryTask, episodes: Episodes, reach: int | None = None) -> float:
    """The share of right answers of one who remembers the last `reach` steps perfectly, the
    question's own among them, or all of them, and guesses evenly what these do not decide.

    A window of so many steps can reach it. It can reach a little more where a part of what was
    told lies in it, as the end of a gesture or of a pulse does.
    """
    chances = []
    for x, asked, answers in zip(episodes.x, episodes.asked, episodes.answers, strict=True):
        steps = x.numpy()
        for at in asked.nonzero()[:, 0].tolist():
            start = 0 if reach is None else max(at + 1 - reach, 0)
            possible = task.possible(steps[start : at + 1])
            chances.append(task.guessed(possible, answers[at].item()))
    return float(np.mean(chances))


def one_hot(indices: Tensor, size: int) -> Tensor:
    """[...] → [..., size] float32."""
    return F.one_hot(indices, size).float()


def shuffled(count: int, size: int, generator: torch.Generator) -> Tensor:
    """[count, size] int64: in each row the numbers below size, in an order of its own."""
    return torch.rand(count, size, generator=generator).argsort(dim=1)
