"""Which versions of which models run here, and which of them answers."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Iterator, Mapping

from larnn_service.backend.model_repository import Repository
from larnn_service.errors import BadModel, Conflict, StartupError, UnknownModel
from larnn_service.interfaces import Model

Key = tuple[str, int]


class Models(Mapping[str, Model]):
    """By name, the version that answers where none is named: the one that began to serve last.

    A version *serves*, or it is *retired*: nobody gets it by its name, and it stays for the
    streams that began with it. A request that has got its Model keeps it, whatever happens here.
    """

    def __init__(
        self, repository: Repository, serving: Iterable[Model] = (), *, default: str, keep: int = 1
    ) -> None:
        """`keep`: how many versions of one model may serve side by side."""
        self.repository = repository
        self.default = default
        self._keep = keep
        self._serving: dict[str, dict[int, Model]] = {}
        self._retired: dict[Key, Model] = {}
        self._successors: dict[Key, int] = {}
        self._loading = asyncio.Lock()
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

        Loaded from the folder where it does not run. Raises UnknownModel.
        """
        version = self._successors.get((name, version), version)
        async with self._loading:
            if (model := self.loaded().get((name, version))) is not None:
                return model
            try:
                if version not in self.repository.versions(name):
                    raise BadModel("it is not among the models")
                model = await self._read(name, version)
            except BadModel as error:
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
        async with self._loading:
            model = await self._read(name, version)
            running = self.loaded().get((name, version))
            if running is None:
                return model
            if running.manifest.graph.sha256 != model.manifest.graph.sha256:
                raise Conflict(
                    f"{name}/{version} runs here from another graph: "
                    f"publish the changed one as version {version + 1}"
                )
            return running

    async def _read(self, name: str, version: int) -> Model:
        try:
            return await asyncio.to_thread(self.repository.load, name, version)
        except StartupError as error:
            raise BadModel(str(error)) from error

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


def at_start(repository: Repository, default: str, keep: int) -> Models:
    """The newest versions of every model serve. Raises StartupError where one is not whole."""
    root, names = repository.root, repository.names()
    if not root.is_dir():
        raise StartupError(f"LARNN_MODELS={root} is no folder: point it at the exported models")
    if default not in names:
        found = ", ".join(names) or "none"
        raise StartupError(f"LARNN_MODEL={default} is not under {root}; models found: {found}")
    newest = ((name, version) for name in names for version in repository.versions(name)[-keep:])
    serving = [repository.load(name, version) for name, version in newest]
    return Models(repository, serving, default=default, keep=keep)
