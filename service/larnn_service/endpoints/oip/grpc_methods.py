"""What each of the protocol's calls does. Requests and answers are the published messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from google.protobuf.json_format import ParseDict
from msgspec import to_builtins
from tritonclient.grpc import service_pb2 as pb

from larnn_service.endpoints.oip import grpc_convert, metadata
from larnn_service.endpoints.oip.inference import Inference, version_number, versions_of
from larnn_service.endpoints.oip.repository import ModelRepository
from larnn_service.endpoints.oip.statistics import statistics
from larnn_service.engine.engine import Engine
from larnn_service.interfaces import Model
from larnn_service.settings import Settings

Message = Any
Call = Callable[[Message, str], Awaitable[Message]]
"""From a request and its caller's name to the answer. Raises ServiceError."""


class Calls:
    """The calls with one answer, by name."""

    def __init__(
        self,
        engine: Engine,
        inference: Inference,
        repository: ModelRepository,
        settings: Settings,
    ) -> None:
        self._engine = engine
        self._inference = inference
        self._repository = repository
        self._settings = settings
        self.by_name: dict[str, Call] = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ServerMetadata": self._server_metadata,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model_metadata,
            "ModelConfig": self._model_config,
            "ModelStatistics": self._model_statistics,
            "ModelInfer": self.infer,
            "RepositoryIndex": self._index,
            "RepositoryModelLoad": self._load,
            "RepositoryModelUnload": self._unload,
        }

    async def _server_live(self, _: Message, owner: str) -> Message:
        return pb.ServerLiveResponse(live=True)

    async def _server_ready(self, _: Message, owner: str) -> Message:
        return pb.ServerReadyResponse(ready=self._engine.ready)

    async def _server_metadata(self, _: Message, owner: str) -> Message:
        return ParseDict(to_builtins(metadata.server()), pb.ServerMetadataResponse())

    async def _model_ready(self, request: Message, owner: str) -> Message:
        self._model(request)
        return pb.ModelReadyResponse(ready=self._engine.ready)

    async def _model_metadata(self, request: Message, owner: str) -> Message:
        described = metadata.model(self._engine, self._model(request))
        return ParseDict(to_builtins(described), pb.ModelMetadataResponse())

    async def _model_config(self, request: Message, owner: str) -> Message:
        config = metadata.config(self._model(request), self._settings)
        return ParseDict({"config": config}, pb.ModelConfigResponse())

    async def _model_statistics(self, request: Message, owner: str) -> Message:
        """Of every model where none is named."""
        asked = list(self._engine.models.loaded().values())
        if request.name:
            asked = versions_of(self._engine, request.name, request.version)
        told = statistics(self._engine.streams.metrics, asked)
        return ParseDict(to_builtins(told), pb.ModelStatisticsResponse())

    async def infer(self, request: Message, owner: str) -> Message:
        inferred = await self._inference(grpc_convert.asked(request), owner)
        return grpc_convert.answer(request, inferred)

    async def _index(self, request: Message, owner: str) -> Message:
        entries = await self._repository.index(request.ready)
        return ParseDict({"models": to_builtins(entries)}, pb.RepositoryIndexResponse())

    async def _load(self, request: Message, owner: str) -> Message:
        self._repository.check(owner)
        await self._repository.load(request.model_name, request.parameters)
        return pb.RepositoryModelLoadResponse()

    async def _unload(self, request: Message, owner: str) -> Message:
        self._repository.check(owner)
        await self._repository.unload(request.model_name)
        return pb.RepositoryModelUnloadResponse()

    def _model(self, request: Message) -> Model:
        return self._engine.model(request.name, version_number(request.version))
