"""What tests of versions ask of an engine."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx

from larnn_service.chunk import Chunk
from larnn_service.engine.engine import Engine
from larnn_service.engine.models.lifecycle import VersionState
from larnn_service.engine.store.interface import Survives
from larnn_service.engine.store.memory import MemoryStore
from larnn_service.engine.streams.stream import Stream
from tests import awaited, toy

WINDOW = np.ones((3, 2), np.float32)
Replica = Callable[..., Engine]


class SharedStore(MemoryStore):
    """As one that replicas share: streams rest in it when they leave memory."""

    survives: Survives = "replica"


async def states(engine: Engine) -> dict[tuple[str, int], str]:
    return {(one.name, one.version): one.state for one in await engine.control.index()}


async def entry(engine: Engine, version: int) -> VersionState:
    [found] = [one for one in await engine.control.index("toy") if one.version == version]
    return found


async def advance(engine: Engine, stream: Stream, offset: int) -> list[float]:
    advanced = await awaited.advance(engine, stream, Chunk(offset, WINDOW), settled=True)
    last: list[float] = advanced.outputs[-1].tolist()
    return last


def another_graph(**changes: Any) -> onnx.ModelProto:
    """The toy's with other bytes."""
    graph = toy.graph(toy.CONTRACT.model_copy(update=changes))
    graph.doc_string = "changed"
    return graph
