"""Models of a source in a folder of this machine: a version is there whole and checked, or not."""

from __future__ import annotations

import json
import logging
import math
import shutil
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from larnn_service.backend.layout import Key, by_name
from larnn_service.backend.sources.fetch import Fetch, Marks, NotWhole
from larnn_service.backend.sources.lock import User, alone
from larnn_service.backend.sources.source import Found, Refused, Source, said
from larnn_service.contract import MANIFEST_FILE
from larnn_service.errors import StartupError

logger = logging.getLogger(__name__)

_MARKS = ".marks.json"
"""In a version's folder: the place that it is from, what the source said of each file, and their
sizes here."""
_BEGUN = ".fetch-"
"""What the name of a folder begins with, while versions are fetched into it."""
_Had = dict[Key, tuple[str, Marks]]
"""The place and the marks of each version that is there; of one that is not whole any more none."""


@dataclass
class _Seen:
    """A place whose version is not in the folder."""

    marks: Marks
    key: Key
    """As its manifest says; without one as the place is called."""
    why: str = ""
    """Why it is not to be had."""
    lasting: bool = False
    """As long as its files are these."""

    def fails(self, error: StartupError) -> None:
        self.why, self.lasting = str(error), isinstance(error, NotWhole)


class Cache:
    """The folder models/<name>/<version>/ that a source fills."""

    def __init__(
        self, root: Path, source: Source, address: str, max_bytes: int, within: float = math.inf
    ) -> None:
        """`max_bytes`: of a version's files together. `within`: seconds, after which a refresh
        begins no further file."""
        self.root = root
        self._source, self._address = source, address
        self._max_bytes, self._within = max_bytes, within
        self._seen: dict[PurePosixPath, _Seen] = {}
        self._refused: Refused = {}
        self.user: User | None = None
        """Since the first refresh."""

    def refresh(self, first: bool = False) -> Refused:
        """Fetch what the source has and the folder has not. What could not be had, and why: it
        keeps no other version away, and what is not whole is fetched again when it has changed.

        Versions that the source has no more stay while streams may rest on them: until the next
        start, which is the `first`, that finds no other user of the folder. Raises StartupError
        where the source does not answer, or has no model, and where the folder cannot be used.
        """
        until = time.monotonic() + self._within
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            with alone(self.root, until):
                self.user = self.user or User(self.root)
                fetches = self._listed(until)
                self._tidy()
                gone, refused = self._take(fetches)
                if first and not refused:
                    self._remove(gone, self.user, until)
        except OSError as error:
            raise StartupError(f"LARNN_MODELS_CACHE, {self.root}: {said(error)}") from error
        for key, why in refused.items():
            if self._refused.get(key) != why:
                logger.error("a version is not fetched: %s", why)
        self._refused = refused
        return refused

    def _listed(self, until: float) -> list[Fetch]:
        try:
            listed = self._source.files()
        except Exception as error:  # of whichever library: each has its own
            raise StartupError(f"LARNN_MODELS={self._address}: {said(error)}") from error
        places: defaultdict[PurePosixPath, Marks] = defaultdict(dict)
        for path, found in listed.items():
            places[PurePosixPath(path).parent][PurePosixPath(path).name] = found
        fetches = [
            Fetch(self._source, place, marks, self._max_bytes, until)
            for place, marks in sorted(places.items())
            if MANIFEST_FILE in marks
        ]
        if not fetches:
            raise StartupError(f"LARNN_MODELS={self._address}: there is no {MANIFEST_FILE}")
        return fetches

    def _tidy(self) -> None:
        """Remove what a process that was killed has left: nobody else is at work here."""
        for left in self.root.glob(f"{_BEGUN}*/"):
            shutil.rmtree(left)

    def _remove(self, gone: set[Key], user: User, until: float) -> None:
        """What the source has no more; not after the time, when others may serve it by now."""
        with user.only() as only:
            for key in gone if only and time.monotonic() < until else ():
                shutil.rmtree(self._folder(key))

    def _take(self, fetches: list[Fetch]) -> tuple[set[Key], Refused]:
        """What the folder has and the source has not, and what could not be had."""
        marks = {fetch.place: fetch.marks for fetch in fetches}
        self._seen = {
            place: seen
            for place, seen in self._seen.items()
            if marks.get(place) == seen.marks and (seen.lasting or not seen.why)
        }
        had, refused = self._had(), Refused()
        places: defaultdict[Key, list[tuple[Fetch, Path]]] = defaultdict(list)
        with TemporaryDirectory(dir=self.root, prefix=_BEGUN) as made:
            for number, fetch in enumerate(fetches):
                folder = Path(made) / str(number)
                key, why = self._look(fetch, folder, had)
                if why:
                    refused[key] = self._said(fetch, why)
                else:
                    places[key].append((fetch, folder))
            for key, found in places.items():
                fetch, folder = found[0]
                if len(found) > 1:
                    both = " and ".join(str(fetch.place) for fetch, _ in found)
                    why = f"both are {key[0]}/{key[1]}; leave one of them"
                    refused[key] = f"LARNN_MODELS={self._address}: {both}: {why}"
                elif why := self._fetch(fetch, key, folder):
                    refused[key] = self._said(fetch, why)
        return had.keys() - places.keys(), refused

    def _look(self, fetch: Fetch, folder: Path, had: _Had) -> tuple[Key, str]:
        """Which version is at this place, and why it is not to be had."""
        if (seen := self._seen.get(fetch.place)) is not None:
            return seen.key, seen.why
        for key, (place, marks) in had.items():
            if place == str(fetch.place) and marks.items() <= fetch.marks.items():
                return key, ""
        seen = self._seen[fetch.place] = _Seen(fetch.marks, _called(fetch.place))
        try:
            manifest = fetch.manifest(folder)
            seen.key = manifest.name, manifest.version
        except StartupError as error:
            seen.fails(error)
        return seen.key, seen.why

    def _fetch(self, fetch: Fetch, key: Key, folder: Path) -> str:
        """The version, unless the folder has it. Why it is not to be had."""
        if (seen := self._seen.get(fetch.place)) is None:
            return ""
        try:
            marks = fetch.whole(folder)
        except StartupError as error:
            seen.fails(error)
            return seen.why
        sizes = {name: (folder / name).stat().st_size for name in marks}
        (folder / _MARKS).write_text(json.dumps([str(fetch.place), marks, sizes]))
        place = self._folder(key)
        place.parent.mkdir(exist_ok=True)
        if place.exists():  # files that somebody reads stay readable
            place.rename(f"{folder}-before")
        folder.rename(place)
        logger.info("%s/%d is fetched from %s", *key, self._address)
        del self._seen[fetch.place]
        return ""

    def _said(self, fetch: Fetch, why: str) -> str:
        return f"LARNN_MODELS={self._address}: {fetch.place}: {why}"

    def _folder(self, key: Key) -> Path:
        return self.root / key[0] / str(key[1])

    def _had(self) -> _Had:
        found = by_name(self.root).items()
        return {
            (name, version): _marks(folder)
            for name, versions in found
            for version, folder in versions.items()
        }


def _marks(folder: Path) -> tuple[str, Marks]:
    try:
        place, told, sizes = json.loads((folder / _MARKS).read_text())
        if any((folder / name).stat().st_size != size for name, size in sizes.items()):
            return "", {}
        return place, {name: Found(*each) for name, each in told.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return "", {}


def _called(place: PurePosixPath) -> Key:
    """Name and version by the path; no version is 0."""
    number = place.name if place.name.isascii() and place.name.isdecimal() else ""
    return (place.parent.name, int(number)) if number else (place.name, 0)
