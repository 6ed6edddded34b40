"""How many steps wait or run, of all and of each owner, and how many may."""

from __future__ import annotations

from collections import Counter

from larnn_service.errors import Full


class WaitingSteps:
    """Of one model."""

    def __init__(self, limit: int, share: int | None = None) -> None:
        """`share`: those of one owner at most, where there are several."""
        self._limit, self._share = limit, share
        self._of: Counter[str] = Counter()
        self.total = 0

    def add(self, steps: int, owner: str) -> None:
        """More of an owner's wait. Raises Full instead where there is no room."""
        share = self._share
        if share is not None and self._of[owner] + steps > share:
            raise Full(
                f"{self._of[owner]} steps of this key wait and {share} may; try again",
                retry_after=1,
            )
        if self.total + steps > self._limit:
            raise Full(f"{self.total} steps wait and {self._limit} may; try again", retry_after=1)
        self.total += steps
        if share is not None:
            self._of[owner] += steps

    def remove(self, steps: int, owner: str) -> None:
        """They are answered, or nobody's any more."""
        self.total -= steps
        if self._share is not None:
            self._of[owner] -= steps
