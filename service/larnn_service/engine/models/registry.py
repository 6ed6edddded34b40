"""Which versions of which models run here, and which of them answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeVar
from weakref import WeakValueDictionary

from larnn_service.backend.layout import Key
from larnn_service.backend.model_repository import Repository, Stamps
from larnn_service.backend.sources.source import Refused
from larnn_service.contract import GraphFile
from larnn_service.engine.models.load_threads import Late, LoadThreads
from larnn_service.errors import BadModel, Conflict, Full, Passing, StartupError, UnknownModel
from larnn_service.interfaces import Model

T = TypeVar("T")
BUNDLED = "larnn-har"
"""The default model of a folder that has several."""


class Models(Mapping[str, Model]):
    """By name, the version that answers where none is named: the one that began to serve last.

    A version *serves*, or it is *retired*: nobody gets it by its name, and it stays for the
    streams that began with it. A request that has got its Model keeps it, whatever happens here.
    """

    def __init__(
        self,
        repository: Repository,
        serving: Iterable[Model] = (),
        *,
        default: str,
        keep: int = 1,
        threads: LoadThreads | None = None,
        fetching: LoadThreads | None = None,
        stamps: Mapping[Key, Stamps] | None = None,
    ) -> None:
        """`keep`: how many versions of one model may serve side by side. `threads`: for whatever
        the repository is asked, `fetching` for what it asks its source. `stamps`: of the versions
        that it had when these were loaded."""
        self._repository = repository
        self._threads, self._fetching = threads or LoadThreads(), fetching or LoadThreads()
        self.stamps = dict(stamps or {})
        self.default = default
        self._keep = keep
        self._serving: dict[str, dict[int, Model]] = {}
        self._retired: dict[Key, Model] = {}
        self._successors: dict[Key, int] = {}
        self._loading: WeakValueDictionary[Key, asyncio.Lock] = WeakValueDictionary()
        """Of each version that is being read."""
        for model in serving:
            self.serve(model)

    def __getitem__(self, name: str) -> Model:
        return list(self._serving[name].values())[-1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._serving)

    def __len__(self) -> int:
        return len(self._serving)

    def wanted(self, name: str | None, version: int | None = None) -> Model:
        """What answers a request for this. Raises UnknownModel."""
        name = self.default if name is None else name
        if (serving := self._serving.get(name)) is None:
            raise UnknownModel(f"there is no such model; GET /models lists them: {', '.join(self)}")
        if version is None:
            return self[name]
        if (model := serving.get(version)) is None:
            served = ", ".join(map(str, sorted(serving)))
            raise UnknownModel(f"version {version} of {name} is not served; served: {served}")
        return model

    def loaded(self) -> dict[Key, Model]:
        """All that runs here, serving or retired."""
        return self._retired | {key(m): m for name in self for m in self.serving(name)}

    def serving(self, name: str) -> list[Model]:
        """The versions that serve, the one that answers last."""
        return list(self._serving.get(name, {}).values())

    def is_serving(self, model: Model) -> bool:
        name, version = key(model)
        return self._serving.get(name, {}).get(version) is model

    async def of_stream(self, name: str, version: int) -> Model:
        """What goes on with a stream of this version: that version, or the one it migrated to.

        Loaded from the folder where it does not run. Raises UnknownModel, and Full where that takes
        too long.
        """
        version = self._successors.get((name, version), version)
        async with self._reading(name, version):
            if (model := self.loaded().get((name, version))) is not None:
                return model
            try:
                model = await self._load(name, version)
            except Late as error:
                raise Full(f"{error}; try again", retry_after=1) from error
            except StartupError as error:
                raise UnknownModel(
                    f"the stream runs on {name}/{version}, which this replica does not "
                    "serve; resume it on one that does, or restore its state in a new stream"
                ) from error
            self._retired[name, version] = model
            return model

    async def read(self, name: str, version: int) -> Model:
        """This version as the folder has it, verified; the running one where it is the same.

        Raises BadModel, or Conflict where it runs here from another graph.
        """
        async with self._reading(name, version):
            try:
                model = await self._load(name, version)
            except StartupError as error:
                raise BadModel(str(error), lasting=not isinstance(error, Passing)) from error
            running = self.loaded().get((name, version))
            if running is None:
                return model
            if _graphs(running) != _graphs(model):
                raise Conflict(
                    f"{name}/{version} runs here from another graph: "
                    f"publish the changed one as version {version + 1}"
                )
            return running

    async def look(self, work: Callable[[Repository], T]) -> T:
        """What is in the folder, by the repository. Raises BadModel, and Full where that takes too
        long."""
        try:
            return await self._threads.run(partial(work, self._repository), "the models folder")
        except Late as error:
            raise Full(f"{error}; try again", retry_after=1) from error
        except StartupError as error:
            raise BadModel(str(error)) from error

    async def refresh(self) -> Refused:
        """The folder is as its source is now, but for these. Raises BadModel where the source does
        not answer."""
        try:
            return await self._fetching.run(self._repository.refresh, "fetching models")
        except StartupError as error:
            raise BadModel(str(error)) from error

    async def _load(self, name: str, version: int) -> Model:
        load = partial(self._repository.load, name, version)
        return await self._threads.run(load, _loading(name, version))

    def hangs(self, name: str, version: int) -> bool:
        """Whether a try to load it was given up and has not ended."""
        return self._threads.hangs(_loading(name, version))

    def _reading(self, name: str, version: int) -> asyncio.Lock:
        """One at a time reads a version."""
        return self._loading.setdefault((name, version), asyncio.Lock())

    def serve(self, model: Model) -> None:
        """From now on it answers for its name; of more than may serve the oldest retires."""
        name, version = key(model)
        versions = self._serving.setdefault(name, {})
        versions.pop(version, None)
        versions[version] = model
        self._retired.pop((name, version), None)
        self._successors.pop((name, version), None)
        for oldest in list(versions)[: -self._keep]:
            self.retire(versions[oldest])

    def retire(self, model: Model) -> None:
        """It takes no new work."""
        name, version = key(model)
        self._retired[name, version] = self._serving[name].pop(version)
        if not self._serving[name]:
            del self._serving[name]

    def succeed(self, name: str, version: int, successor: int) -> None:
        """A stream of this version that comes later goes on with its successor."""
        self._successors[name, version] = successor

    def release(self, in_use: Collection[Model]) -> None:
        """What does not serve and no stream has is let go."""
        self._retired = {key(model): model for model in in_use if not self.is_serving(model)}


def key(model: Model) -> Key:
    """Name and version of a model."""
    return model.manifest.name, model.manifest.version


def _loading(name: str, version: int) -> str:
    return f"loading {name}/{version}"


def _graphs(model: Model) -> tuple[GraphFile, GraphFile | None]:
    return model.manifest.graph, model.manifest.attention


def at_start(
    repository: Repository,
    default: str,
    keep: int,
    threads: LoadThreads | None = None,
    fetching: LoadThreads | None = None,
) -> Models:
    """The newest versions of every model serve. Without a `default` the only one there is answers
    a request that names none, or BUNDLED.

    Raises StartupError where one is not whole, or takes too long.
    """
    threads = threads or LoadThreads()
    root = repository.root
    what = "the models folder"
    stamps = threads.now(repository.stamps, what)
    default, newest = threads.now(lambda: _newest(repository, default, keep), what)
    serving = [
        threads.now(partial(repository.load, name, version), f"{root}: {_loading(name, version)}")
        for name, version in newest
    ]
    return Models(
        repository,
        serving,
        default=default,
        keep=keep,
        threads=threads,
        fetching=fetching,
        stamps=stamps,
    )


def _newest(repository: Repository, default: str, keep: int) -> tuple[str, list[Key]]:
    root, names = repository.root, repository.names()
    default = default or (names[0] if len(names) == 1 else BUNDLED)
    if not root.is_dir():
        raise StartupError(f"LARNN_MODELS={root} is no folder: point it at the exported models")
    if default not in names:
        found = ", ".join(names) or "none"
        raise StartupError(f"LARNN_MODEL={default} is not under {root}; models found: {found}")
    newest = [(name, version) for name in names for version in repository.versions(name)[-keep:]]
    return default, newest
