"""Endless streams of a task: episode after episode, cut into chunks anywhere."""

from __future__ import annotations

import torch
from torch import Tensor

from larnn_export.memory_tasks.task import Episodes, MemoryTask


class EndlessStreams:
    """So many streams side by side, each at its own place in its own episodes.

    Between episodes there are empty steps, up to `idle`. A stream's network carries its state from
    chunk to chunk; nothing tells it where an episode begins.
    """

    def __init__(
        self, task: MemoryTask, rows: int, generator: torch.Generator, idle: int = 16
    ) -> None:
        self._task, self._rows, self._generator, self._idle = task, rows, generator, idle
        self._waiting: list[tuple[Tensor, Tensor, Tensor]] = [
            (torch.zeros(0, task.channels), torch.zeros(0, dtype=torch.bool), torch.zeros(0))
            for _ in range(rows)
        ]

    def next(self, steps: int) -> Episodes:
        """The next chunk of every stream: [rows, steps]."""
        while min(len(x) for x, _, _ in self._waiting) < steps:
            self._append()
        x, asked, answers = (
            torch.stack([row[part][:steps] for row in self._waiting]) for part in range(3)
        )
        self._waiting = [(x[steps:], a[steps:], b[steps:]) for x, a, b in self._waiting]
        return Episodes(x, asked, answers)

    def _append(self) -> None:
        more = self._task.draw(self._rows, self._generator)
        idle = torch.randint(self._idle + 1, (self._rows,), generator=self._generator).tolist()
        self._waiting = [
            (
                torch.cat([x, x.new_zeros(empty, x.shape[1]), more.x[row]]),
                torch.cat([asked, asked.new_zeros(empty), more.asked[row]]),
                torch.cat([answers, answers.new_zeros(empty), more.answers[row]]),
            )
            for row, ((x, asked, answers), empty) in enumerate(
                zip(self._waiting, idle, strict=True)
            )
        ]
