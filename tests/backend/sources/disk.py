"""A source that is a folder, where no bucket is needed."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from larnn_service.backend.sources.cache import Cache
from larnn_service.backend.sources.source import Found


@dataclass
class Disk:
    """It notes what is fetched, and does before that whatever a test wants."""

    root: Path
    fetched: list[str] = field(default_factory=list)
    before: Callable[[str], object] = str

    def files(self) -> dict[str, Found]:
        found = {}
        for path in (path for path in self.root.rglob("*") if path.is_file()):
            data = path.read_bytes()
            mark = hashlib.sha256(data).hexdigest()
            found[str(path.relative_to(self.root))] = Found(len(data), mark)
        return found

    def fetch(self, path: str, to: Path) -> None:
        self.before(path)
        self.fetched.append(path)
        shutil.copyfile(self.root / path, to)


def versions(cache: Cache) -> list[str]:
    """Those that its folder has."""
    return sorted(str(path.relative_to(cache.root)) for path in cache.root.glob("[!.]*/*"))


def leave(*caches: Cache) -> None:
    """As if the processes that have them had ended."""
    for cache in caches:
        assert cache.user is not None
        cache.user.leave()
