"""A number of places that callers share, so that none of them takes those of others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

SHARE = 2
"""No owner of several has more than one part in so many of the bytes and the steps that may wait,
of the streams that may be open, and of the answers that may be kept."""


def share_of(limit: int, owners: Collection[str]) -> int | None:
    """What one owner has of a limit at most; None where there are no several."""
    return max(limit // SHARE, 1) if len(owners) > 1 else None


class FairShares:
    """A caller takes one more while it holds fewer than are left: the first has half of them at
    most, and whoever comes then still finds some."""

    def __init__(self, most: int, *, alone: bool = False) -> None:
        """`alone`: there is one caller, who may have all."""
        self._left, self._alone = most, alone
        self._held: Counter[str] = Counter()

    def has_room(self, name: str) -> bool:
        """Whether the caller of this name may take one more."""
        return self._left > (0 if self._alone else self._held[name])

    def take(self, name: str) -> None:
        """One that there is room for, until it is given back."""
        self._left -= 1
        self._held[name] += 1

    def give_back(self, name: str) -> None:
        """One less."""
        self._left += 1
        self._held[name] -= 1
        if not self._held[name]:
            del self._held[name]
