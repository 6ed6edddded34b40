"""Associative recall: pairs of a key and a value, one a step; later every key is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from larnn_export.memory_tasks.task import Episodes, MemoryTask, Seen, one_hot, shuffled

VALUES = 8


@dataclass(frozen=True)
class AssociativeRecall(MemoryTask):
    """Channels: 2·pairs possible keys and 8 values, one-hot; a flag for a pair, one for a question.

    The keys of an episode are different, and are asked for in an order of their own.
    """

    pairs: int = 16
    gap: int = 0
    """Empty steps between the last pair and the first question."""

    outputs = VALUES
    floor = 1 / VALUES

    @property
    def name(self) -> str:
        return f"recall-{self.pairs}" + (f"-gap-{self.gap}" if self.gap else "")

    @property
    def keys(self) -> int:
        return 2 * self.pairs

    @property
    def channels(self) -> int:
        return self.keys + VALUES + 2

    def draw(self, count: int, generator: torch.Generator) -> Episodes:
        pairs, first = self.pairs, self.pairs + self.gap
        told = shuffled(count, self.keys, generator)[:, :pairs]
        values = torch.randint(VALUES, (count, pairs), generator=generator)
        order = shuffled(count, pairs, generator)
        x = torch.zeros(count, first + pairs, self.channels)
        x[:, :pairs, : self.keys] = one_hot(told, self.keys)
        x[:, :pairs, self.keys : -2] = one_hot(values, VALUES)
        x[:, :pairs, -2] = 1
        x[:, first:, : self.keys] = one_hot(told.gather(1, order), self.keys)
        x[:, first:, -1] = 1
        answers = torch.zeros(count, first + pairs)
        answers[:, first:] = values.gather(1, order).float()
        return Episodes(x, x[..., -1] == 1, answers)

    def possible(self, seen: Seen) -> tuple[float, ...]:
        key = seen[-1, : self.keys].argmax()
        told = (seen[:, -2] == 1) & (seen[:, key] == 1)
        if not told.any():
            return tuple(range(VALUES))
        return (float(seen[told][-1, self.keys : -2].argmax()),)
