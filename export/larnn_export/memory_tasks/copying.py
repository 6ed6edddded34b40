"""Selective copying: the marked symbols among others, said again in their order when cued."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from larnn_export.memory_tasks.task import Episodes, MemoryTask, Seen, one_hot, shuffled

SYMBOLS = 8


@dataclass(frozen=True)
class SelectiveCopying(MemoryTask):
    """Channels: 8 symbols, one-hot; a mark on those to keep; a cue for each one to say."""

    marked: int = 8
    steps: int = 48
    """With symbols, before the first cue."""

    channels = SYMBOLS + 2
    outputs = SYMBOLS
    floor = 1 / SYMBOLS

    def __post_init__(self) -> None:
        if self.marked > self.steps:
            raise ValueError(f"marked must be at most steps, {self.steps}")

    @property
    def name(self) -> str:
        return f"copying-{self.marked}-of-{self.steps}"

    def draw(self, count: int, generator: torch.Generator) -> Episodes:
        symbols = torch.randint(SYMBOLS, (count, self.steps), generator=generator)
        at = shuffled(count, self.steps, generator)[:, : self.marked].sort(dim=1).values
        x = torch.zeros(count, self.steps + self.marked, self.channels)
        x[:, : self.steps, :SYMBOLS] = one_hot(symbols, SYMBOLS)
        x[:, : self.steps, -2].scatter_(1, at, 1.0)
        x[:, self.steps :, -1] = 1
        answers = torch.zeros(count, self.steps + self.marked)
        answers[:, self.steps :] = symbols.gather(1, at).float()
        return Episodes(x, x[..., -1] == 1, answers)

    def possible(self, seen: Seen) -> tuple[float, ...]:
        cues = seen[:, -1] == 1
        before = np.flatnonzero(~cues)
        if not len(before):
            return tuple(range(SYMBOLS))
        said = len(seen) - before[-1] - 2
        kept = np.flatnonzero((seen[:, -2] == 1) & ~cues)
        later = self.marked - said  # kept since, itself among them
        if len(kept) < later:
            return tuple(range(SYMBOLS))
        return (float(seen[kept[-later], :SYMBOLS].argmax()),)
