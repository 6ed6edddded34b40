"""What every source of models can do."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Protocol

from larnn_service.backend.layout import Key

Refused = dict[Key, str]
"""Versions that a source has and that cannot be had, and why."""


class Found(NamedTuple):
    """A file as its source lists it."""

    size: int
    mark: str
    """Other bytes have another one, such as S3's ETag."""


class Source(Protocol):
    """Files by their paths below the address, as they are there now. What its methods raise is the
    library's own."""

    def files(self) -> dict[str, Found]:
        """All of them."""
        ...

    def fetch(self, path: str, to: Path) -> None:
        """Write one into this file."""
        ...


def said(error: Exception) -> str:
    """The first line of what a library says."""
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:300]}"
