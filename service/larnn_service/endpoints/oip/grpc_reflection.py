"""grpc.reflection.v1alpha on the gRPC port: clients without the protocol's files ask for them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import grpc
from google.protobuf.descriptor import ServiceDescriptor
from grpc_reflection.v1alpha import reflection, reflection_pb2

from larnn_service.endpoints.oip.grpc_answers import Answers
from larnn_service.endpoints.oip.grpc_arrival import Arrival, handler
from larnn_service.endpoints.oip.grpc_status import Context, refusing

SERVICE = reflection_pb2.DESCRIPTOR.services_by_name["ServerReflection"]


class Reflection:
    """What the published servicer tells, of messages that arrive as all others do."""

    def __init__(
        self, services: Iterable[ServiceDescriptor], arrival: Arrival, answers: Answers
    ) -> None:
        self._arrival, self._answers = arrival, answers
        self._servicer = reflection.aio.ReflectionServicer([each.full_name for each in services])

    def handlers(self) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        """By the call's name."""
        return {method.name: handler(self._describe) for method in SERVICE.methods}

    async def _describe(self, _: Any, context: Context) -> None:
        kind = reflection_pb2.ServerReflectionRequest.DESCRIPTOR
        with refusing(context), self._arrival.open_call(context):
            asked = self._arrival.open_messages(context, kind)
            async for told in self._servicer.ServerReflectionInfo(asked, context):
                await self._answers.write(context, told.SerializeToString())
