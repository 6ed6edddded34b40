"""Clients that go away while their stream is being opened: nothing of them stays."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.types import Message, Scope

from larnn_service.app import create_app
from larnn_service.settings import Settings

SCOPE: Scope = {
    "type": "websocket",
    "path": "/stream",
    "query_string": b"",
    "headers": [],
    "subprotocols": [],
    "state": {},
}


@pytest.mark.parametrize("last", ["websocket.accept", "websocket.send"])
async def test_who_leaves_before_the_stream_is_opened_leaves_no_connection(
    toy_models: Path, last: str
) -> None:
    """As the server tells the application: what it sends next fails."""
    app = create_app(Settings(models=toy_models, model="toy"))
    engine = app.engine

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        if message["type"] == last:
            raise OSError

    await app(dict(SCOPE), receive, send)
    assert len(engine.streams.connections) == 0
    assert [stream.connection for stream in engine.streams] == [None] * len(list(engine.streams))
    engine.close()
