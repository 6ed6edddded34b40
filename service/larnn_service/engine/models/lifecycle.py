"""What an operator asks of the models while they serve: load, unload, migrate, list."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from larnn_service.backend.layout import Key
from larnn_service.backend.model_repository import Repository, Stamps
from larnn_service.backend.sources.source import Refused
from larnn_service.contract import Contract
from larnn_service.engine.models.registry import Models, key
from larnn_service.engine.streams.registry import Streams
from larnn_service.errors import (
    BadModel,
    Conflict,
    Internal,
    ServiceError,
    UnknownModel,
    quoted,
)
from larnn_service.interfaces import Model

logger = logging.getLogger(__name__)

State = Literal["serving", "retired", "available", "refused"]
"""It takes requests; it goes on for its streams alone; it is in the folder and was not asked for;
it is in the folder and the last try to load it failed."""


@dataclass(frozen=True)
class VersionState:
    """One version: in the folder, or running without being there any more."""

    name: str
    version: int
    state: State
    answers: bool
    """Whether it is what a request for the model gets that names no version."""
    streams: int
    """Open streams here that run on it."""
    on_disk: bool
    reason: str = ""
    """Why the last try to load it failed."""


class ModelControl:
    """One change at a time; nothing is dropped by any.

    A version begins to serve when it is verified and warm. Requests in flight end on the version
    that they began with, streams stay on it, and it is let go when nothing needs it.
    """

    def __init__(self, models: Models, streams: Streams) -> None:
        self._models = models
        self._streams = streams
        self._changing = asyncio.Lock()
        self._refused: dict[Key, str] = {}
        """What failed as it was last loaded, and why."""
        self._unfetched: Refused = {}
        """What the source could not give when it was last asked, and why."""
        self._followed = models.stamps
        """The versions that the folder has had, as they were when they were last looked at."""

    async def index(self, name: str | None = None) -> list[VersionState]:
        """Every version in the folder, and every one that runs; those of one model where named.

        Raises Internal where the folder cannot be read: the log alone names it.
        """
        self.release()
        try:
            on_disk = (await self._models.look(_stamps)).keys()
        except BadModel as error:
            logger.error("the models are not listed: %s", error.detail)
            raise Internal() from error
        running = self._models.loaded()
        streams = Counter(key(stream.model) for stream in self._streams)
        return [
            self._state(found, running.get(found), streams[found], found in on_disk)
            for found in sorted(on_disk | running.keys())
            if name in (None, found[0])
        ]

    async def load(self, name: str, version: int | None = None) -> Model:
        """Read a version from the folder, the newest unless named, and let it answer for its model.

        Loaded again it is verified again. Raises UnknownModel where the folder has none, BadModel
        where it is not whole or takes too long, Conflict where it runs already from another graph:
        then what has served until now goes on.
        """
        await self._refresh()
        async with self._changing:
            now = await self._models.look(_stamps)
            there = {of for model, of in now if model == name}
            unfetched = {of: why for (model, of), why in self._unfetched.items() if model == name}
            version = max({*there, *unfetched}, default=0) if version is None else version
            if version in unfetched:
                raise BadModel(unfetched[version])
            if version not in there:
                raise UnknownModel(
                    f"the models folder has no {_said(name, version or None)}; GET /models lists it"
                )
            return await self._take((name, version), now)

    async def _take(self, found: Key, now: Mapping[Key, Stamps]) -> Model:
        """This version serves. `now`: what the folder has. Raises as `load`."""
        self.release()
        self._followed[found] = now[found]
        try:
            model = await self._models.read(*found)
        except BaseException as error:
            if not (isinstance(error, BadModel) and error.lasting):  # it may go next time
                self._followed.pop(found, None)
            if isinstance(error, ServiceError):
                self._refused[found] = error.detail
                self._count(found, "refused")
            raise
        self._refused.pop(found, None)
        self._models.serve(model)
        self._count(found, "loaded")
        self.release()
        logger.info("%s/%d serves on %s", *found, model.backend.provider)
        return model

    async def unload(self, name: str, version: int | None = None) -> None:
        """Let a version take no new work, all of the model's unless named. Raises UnknownModel."""
        async with self._changing:
            one = self._models.wanted(name, version)
            for model in self._models.serving(name) if version is None else [one]:
                self._models.retire(model)
            self.release()
            logger.info("%s is unloaded", _said(name, version))

    async def reload(self) -> None:
        """The newest version of every model that the folder has; what is gone is unloaded.

        What cannot be loaded is logged, and what has served until now goes on.
        """
        if not (now := await self._look()):
            return logger.error("nothing is reloaded: the models folder has no version")
        await self._take_newest(now, now.keys(), older=True)
        for name in self._models.keys() - {name for name, _ in now}:
            with contextlib.suppress(UnknownModel):  # somebody else has unloaded it
                await self.unload(name)

    async def follow(self) -> None:
        """Load what has come to the folder, or has changed there, since it was last followed, and
        what failed for the moment; what hangs is left to its end.

        What is gone stays: a listing may fail, and a version come back.
        """
        now = await self._look()
        changed = {key for key in now if now[key] != self._followed.get(key)}
        await self._take_newest(now, {key for key in changed if not self._models.hangs(*key)})

    async def _look(self) -> dict[Key, Stamps]:
        """What the folder has, as its source is now; nothing where it cannot be read."""
        try:
            await self._refresh()
        except ServiceError as error:
            logger.error("nothing new is fetched: %s", error.detail)
        try:
            return await self._models.look(_stamps)
        except ServiceError as error:
            logger.error("the models are not looked at: %s", error.detail)
            return {}

    async def _take_newest(
        self, now: Mapping[Key, Stamps], changed: Collection[Key], older: bool = False
    ) -> None:
        """Of each model's versions that changed the highest that can be loaded, if no other one is
        above it. `older`: also one below what answers now, unless a higher one is refused."""
        for name in sorted({name for name, _ in changed}):
            self._followed.update({key: now[key] for key in changed if key[0] == name})
            answering = self._models[name].manifest.version if name in self._models else 0
            refused = False
            for version in sorted((of for model, of in now if model == name), reverse=True):
                found = name, version
                if found not in changed and found in self._refused:
                    continue
                if found not in changed or (refused and version <= answering):
                    break
                if version < answering and not older:
                    break
                try:
                    async with self._changing:
                        await self._take(found, now)
                    break
                except ServiceError as error:
                    refused = True
                    logger.error("%s/%d is not loaded: %s", name, version, error.detail)
                except Exception:
                    refused = True
                    logger.exception("%s/%d is not loaded", name, version)

    async def _refresh(self) -> None:
        """The folder as its source is now. Raises BadModel where that does not answer."""
        unfetched = await self._models.refresh()
        for found, _ in unfetched.items() - self._unfetched.items():
            self._count(found, "refused")
        self._unfetched = unfetched

    def _count(self, found: Key, outcome: str) -> None:
        self._streams.metrics.loads.labels(found[0], outcome).inc()

    async def migrate(self, name: str, version: int | None = None) -> int:
        """Move the model's streams, those of one version where named, to the one that answers.

        Those that are open here, at once; those that come later, when they come. How many were
        open. Raises UnknownModel, BadModel, and Conflict where the contracts differ.
        """
        async with self._changing:
            target = self._models.wanted(name)
            sources = await self._sources(target, version)
            for source in sources:
                self._models.succeed(name, source, target.manifest.version)
            moved = 0
            for stream in self._streams:
                if key(stream.model) in {(name, source) for source in sources}:
                    moved += await self._streams.migrate(stream, target)
            self.release()
            logger.info("%d streams of %s migrated to %d", moved, name, target.manifest.version)
            return moved

    def release(self) -> None:
        """Let go of what is retired and no stream has."""
        self._models.release({stream.model for stream in self._streams})

    async def _sources(self, target: Model, version: int | None) -> list[int]:
        """The versions whose streams can continue with the target: the given one, or all.

        Raises UnknownModel if the given version does not exist, and Conflict if a version that was
        named, or that has streams here, differs from the target in its contract.
        """
        name, current = key(target)
        if version == current:
            return []
        with_streams = {key(stream.model) for stream in self._streams}
        candidates = sorted((await self._models.look(_stamps)).keys() | self._models.loaded())
        sources = []
        for candidate in candidates:
            if candidate[0] != name or candidate[1] == current:
                continue
            if version is not None and candidate[1] != version:
                continue
            difference = await self._difference(candidate, target.manifest.contract)
            if difference is None:
                sources.append(candidate[1])
            elif version is not None or candidate in with_streams:
                raise Conflict(
                    f"{name}/{candidate[1]} and {name}/{current} differ in {difference}: "
                    "its streams stay on it until they end"
                )
        if version is not None and not sources:
            raise UnknownModel(
                f"there is no {_said(name, version)}; GET /models lists the versions"
            )
        return sources

    async def _difference(self, source: Key, contract: Contract) -> str | None:
        """The first field in which the contract of a version differs, or None if they are equal."""
        running = self._models.loaded().get(source)
        try:
            manifest = (
                await self._models.look(lambda folder: folder.manifest(*source))
                if running is None
                else running.manifest
            )
        except BadModel as error:
            return f"everything ({error.detail})"
        mine = manifest.contract
        fields = Contract.model_fields
        return next((f for f in fields if getattr(mine, f) != getattr(contract, f)), None)

    def _state(
        self, found: Key, running: Model | None, streams: int, on_disk: bool
    ) -> VersionState:
        name, version = found
        reason = self._unfetched.get(found) or self._refused.get(found, "")
        if running is None:
            state: State = "refused" if reason else "available"
        else:
            state = "serving" if self._models.is_serving(running) else "retired"
        answers = state == "serving" and self._models[name] is running
        return VersionState(name, version, state, answers, streams, on_disk, reason)


def _stamps(folder: Repository) -> dict[Key, Stamps]:
    return folder.stamps()


def _said(name: str, version: int | None) -> str:
    name = quoted(name)
    return name if version is None else f"{name}/{version}"
