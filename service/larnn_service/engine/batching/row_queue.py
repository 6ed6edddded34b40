"""Rows that wait for a run: each owner's in order, and the owners take turns."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from larnn_service.engine.batching.queue_entries import Row

PASSED_OVER = 256
"""Rows of an owner that are looked at for one run and do not fit in it, at most: whoever has many
waiting does not hold the event loop."""


class RowQueue:
    """Of one model. Without keys there is one owner, of whom all rows are."""

    def __init__(self) -> None:
        self._of: dict[str, deque[Row]] = {}
        """Those who have rows here, the next one to have a turn first."""
        self._count = 0

    def __len__(self) -> int:
        """Rows, also those that nobody wants any more."""
        return self._count

    def add(self, row: Row) -> None:
        """Behind those of its owner."""
        queue = self._of.get(row.submission.owner)
        if queue is None:
            queue = self._queue(row)
        queue.append(row)
        self._count += 1

    def put_back(self, rows: list[Row]) -> None:
        """Before those of their owners, in this order."""
        for row in reversed(rows):
            self._queue(row).appendleft(row)
        self._count += len(rows)

    def first(self) -> Row | None:
        """The row that the next run begins with; those that nobody wants any more are gone."""
        while self._of:
            owner, queue = next(iter(self._of.items()))
            while queue and queue[0].submission.over:
                queue.popleft()
                self._count -= 1
            if queue:
                return queue[0]
            del self._of[owner]
        return None

    def take(self, first: Row, limit: int, fits: Callable[[Row], bool]) -> list[Row]:
        """What `first` gave, and others that fit beside it, which of every owner
        are about as many as far as they have them; nobody beside one that is to run alone."""
        owner = first.submission.owner
        queue = self._of.pop(owner)
        self._of[owner] = queue  # the others have their turns before its next one
        queue.popleft()
        self._count -= 1
        rows = [first]
        if not first.alone:
            queues = list(self._of.values())
            for number in range(len(queues), 0, -1):
                share = -(-(limit - len(rows)) // number)
                self._fill(queues[number - 1], rows, len(rows) + share, fits)
            if len(queues) > 1:
                for each in queues:  # places that nobody needed
                    self._fill(each, rows, limit, fits)
        if not queue:
            del self._of[owner]
        return rows

    def _fill(
        self, queue: deque[Row], rows: list[Row], most: int, fits: Callable[[Row], bool]
    ) -> None:
        """Move rows that fit, until there are so many."""
        others: list[Row] = []
        while queue and len(rows) < most and len(others) < PASSED_OVER:
            row = queue.popleft()
            if row.submission.over:
                self._count -= 1
            elif not row.alone and fits(row):
                rows.append(row)
                self._count -= 1
            else:
                others.append(row)
        queue.extendleft(reversed(others))

    def _queue(self, row: Row) -> deque[Row]:
        owner = row.submission.owner
        queue = self._of.get(owner)
        if queue is None:
            queue = self._of[owner] = deque()
        return queue
