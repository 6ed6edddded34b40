"""What keeps a file from being imported, all of it at once."""

from __future__ import annotations

from collections.abc import Sequence


class ImportFailed(ValueError):
    """A file that cannot be imported; the text says why and what to do, a line for each thing."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n  ".join(["it cannot be imported as it is:", *problems]))
        self.problems = tuple(problems)


class Problems:
    """Collects what is missing or does not fit, so that it is told in one error."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def add(self, what: str, mend: str) -> None:
        """`what` is wrong, and `mend` is what to do about it."""
        self.found.append(f"{what}: {mend}")

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.found)

    def tell(self) -> None:
        """Raise ImportFailed where there are any."""
        if self.found:
            raise ImportFailed(self.found)
