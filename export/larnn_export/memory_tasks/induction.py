"""Induction over a noisy stream: what followed when this symbol came last?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from larnn_export.memory_tasks.task import Episodes, MemoryTask, Seen, one_hot

SYMBOLS = 16
LEAST = 8
"""Steps of an episode."""
NOISE = 0.2
"""Of each channel of a symbol: two are taken for each other about twice in ten thousand times."""


@dataclass(frozen=True)
class Induction(MemoryTask):
    """Channels: 16 symbols, one-hot and noisy; a flag at the steps that ask.

    A quarter of the steps ask whose symbol came before in the episode, but for one that came at the
    step before: what followed it would be itself. So the answer is any symbol but the one shown.
    """

    steps: int = 64

    channels = SYMBOLS + 1
    outputs = SYMBOLS
    floor = 1 / (SYMBOLS - 1)
    ceiling = 0.98

    def __post_init__(self) -> None:
        if self.steps < LEAST:
            raise ValueError(f"steps must be {LEAST} or more, so that symbols come again")

    @property
    def name(self) -> str:
        return f"induction-{self.steps}"

    def draw(self, count: int, generator: torch.Generator) -> Episodes:
        symbols = torch.randint(SYMBOLS, (count, self.steps), generator=generator)
        ages = torch.arange(self.steps)
        same = (symbols[:, :, None] == symbols[:, None, :]) & (ages[:, None] > ages)
        last = torch.where(same, ages, -1).amax(dim=2)  # where the symbol came last, or -1
        chosen = torch.rand(count, self.steps, generator=generator) < 0.25
        asked = chosen & (last >= 0) & (last < ages - 1)
        answers = symbols.gather(1, (last + 1).clamp(max=self.steps - 1))
        noise = NOISE * torch.randn(count, self.steps, SYMBOLS, generator=generator)
        x = torch.cat([one_hot(symbols, SYMBOLS) + noise, asked[..., None].float()], dim=-1)
        return Episodes(x, asked, (answers * asked).float())

    def possible(self, seen: Seen) -> tuple[float, ...]:
        symbols = seen[:, :SYMBOLS].argmax(axis=1)
        before = np.flatnonzero(symbols[:-2] == symbols[-1])
        if not len(before):
            return tuple(symbol for symbol in range(SYMBOLS) if symbol != symbols[-1])
        return (float(symbols[before[-1] + 1]),)
