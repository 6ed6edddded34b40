"""The service with the native library's readers and writers and without; which way chunks take."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from larnn_service.api import desk, request_turn, websocket
from larnn_service.backend.requests import can_read
from larnn_service.backend.responses import can_write
from larnn_service.endpoints import stream_websocket
from larnn_service.engine.engine import Engine
from tests import live
from tests.server.chunks import Ways


@pytest.fixture(params=[True, False], ids=["library", "python"])
def library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether it reads and writes, in a service that is started now."""
    if request.param and not (can_read() and can_write()):
        pytest.skip("larnn-kernels is not installed, or older")
    if not request.param:
        for module, name in (
            (request_turn, "can_read"),
            (websocket, "can_read_chunks"),
            (desk, "can_write"),
            (stream_websocket, "can_write"),
        ):
            monkeypatch.setattr(module, name, lambda: False)
    return bool(request.param)


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> Ways:
    counted, begin, advance = Ways(), Engine.begin, Engine.advance

    def noted_begin(*arguments: Any) -> bool:
        taken = begin(*arguments)
        counted.short += taken
        return taken

    async def noted_advance(*arguments: Any) -> Any:
        counted.long += 1
        return await advance(*arguments)

    monkeypatch.setattr(Engine, "begin", noted_begin)
    monkeypatch.setattr(Engine, "advance", noted_advance)
    return counted


@pytest.fixture
def url(toy_models: Path, ways: Ways, library: bool) -> Iterator[str]:
    with live.running(models=toy_models, model="toy", drain_timeout=60) as url:
        yield url
