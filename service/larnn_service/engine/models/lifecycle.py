"""What an operator asks of the models while they serve: load, unload, migrate, list."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from larnn_service.backend.model_repository import Repository
from larnn_service.contract import Contract
from larnn_service.engine.models.registry import Key, Models, key
from larnn_service.engine.streams.registry import Streams
from larnn_service.errors import (
    BadModel,
    Conflict,
    ServiceError,
    StartupError,
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
        self._followed = set(models.loaded())
        """The versions that the folder had when it was last followed."""

    async def index(self, name: str | None = None) -> list[VersionState]:
        """Every version in the folder, and every one that runs; those of one model where named."""
        self.release()
        on_disk = await self._models.look(_on_disk)
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
        async with self._changing:
            self.release()
            await self._refresh()
            versions = await self._models.look(lambda folder: folder.versions(name))
            if not versions or version not in (None, *versions):
                raise UnknownModel(
                    f"the models folder has no {_said(name, version)}; GET /models lists it"
                )
            version = versions[-1] if version is None else version
            try:
                model = await self._models.read(name, version)
            except ServiceError as error:
                self._refused[name, version] = error.detail
                self._streams.metrics.loads.labels(name, "refused").inc()
                raise
            self._refused.pop((name, version), None)
            self._models.serve(model)
            self._streams.metrics.loads.labels(name, "loaded").inc()
            self.release()
            logger.info("%s/%d serves on %s", name, version, model.backend.provider)
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
        try:
            await self._refresh()
            names = await self._models.look(Repository.names)
        except ServiceError as error:
            return logger.error("nothing is reloaded: %s", error.detail)
        for name in sorted({*names, *self._models}):
            try:
                await (self.load(name) if name in names else self.unload(name))
            except ServiceError as error:
                logger.error("%s is not reloaded: %s", name, error.detail)

    async def follow(self) -> None:
        """Reload where the folder, or the source that fills it, is not as it was last."""
        try:
            changed = await self._refresh()
            now = await self._models.look(_on_disk)
        except ServiceError as error:
            return logger.error("the models are not looked at: %s", error.detail)
        if changed or now != self._followed:
            self._followed = now
            await self.reload()

    async def _refresh(self) -> bool:
        """The folder as its source is now, and whether that changed it. Raises BadModel, and Full
        where it takes too long."""
        try:
            return await self._models.look(lambda folder: folder.refresh())
        except StartupError as error:
            raise BadModel(str(error)) from error

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
        candidates = sorted(await self._models.look(_on_disk) | self._models.loaded().keys())
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
        except StartupError as error:
            return f"everything ({error})"
        mine = manifest.contract
        fields = Contract.model_fields
        return next((f for f in fields if getattr(mine, f) != getattr(contract, f)), None)

    def _state(
        self, found: Key, running: Model | None, streams: int, on_disk: bool
    ) -> VersionState:
        name, version = found
        reason = self._refused.get(found, "")
        if running is None:
            state: State = "refused" if reason else "available"
        else:
            state = "serving" if self._models.is_serving(running) else "retired"
        answers = state == "serving" and self._models[name] is running
        return VersionState(name, version, state, answers, streams, on_disk, reason)


def _on_disk(folder: Repository) -> set[Key]:
    return {(name, version) for name in folder.names() for version in folder.versions(name)}


def _said(name: str, version: int | None) -> str:
    name = quoted(name)
    return name if version is None else f"{name}/{version}"
