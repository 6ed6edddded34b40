"""What docs/architecture.md draws of a request's and a chunk's path is the path they take."""

from __future__ import annotations

import asyncio
import json
import re
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from types import FrameType

import httpx
import pytest
import websockets

from larnn_service import app
from larnn_service.app import create_app
from larnn_service.settings import Settings
from larnn_service.transport.http_connection import HttpConnection
from larnn_service.transport.hub import Hub, Limits
from tests import live
from tests.docs import page

PACKAGE = Path(app.__file__).parent
MOST = 12
"""Files that may pass a request on."""
ENDS = {
    "Batcher.submit",
    "BoundSession.run",
    "BoundSession.run_in_place",
    "HttpConnection._respond",
    "WebSocketConnection.send",
}
"""Where a part of the path ends: in the queue, in the model's run, in the response."""
WINDOW = [[0.0] * 9] * 4
Ask = Callable[[], Awaitable[None]]
Way = Callable[[int], AbstractAsyncContextManager[Ask]]


class Recorder:
    """Which of the service's files a request is in, in all threads that begin after it."""

    def __init__(self) -> None:
        self.on = False
        self.passed_on: set[str] = set()
        """Those that were being executed when one of the ends was reached."""
        self.entered: set[str] = set()

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        if not self.on or event != "call" or (file := _file(frame)) is None:
            return
        self.entered.add(file)
        if frame.f_code.co_qualname not in ENDS:
            return
        each: FrameType | None = frame
        while each is not None:
            if (file := _file(each)) is not None:
                self.passed_on.add(file)
            each = each.f_back


def _file(frame: FrameType) -> str | None:
    path = Path(frame.f_code.co_filename)
    return str(path.relative_to(PACKAGE)) if path.is_relative_to(PACKAGE) else None


@contextmanager
def recording() -> Iterator[Recorder]:
    recorder, before = Recorder(), sys.getprofile()
    threading.setprofile(recorder)
    sys.setprofile(recorder)
    try:
        yield recorder
    finally:
        sys.setprofile(before)
        threading.setprofile(before)


@asynccontextmanager
async def service() -> AsyncIterator[int]:
    """The port of a service in this event loop, over its own transport."""
    made = create_app(Settings(models=live.ROOT / "models"))
    hub = Hub(made, Limits(max_message=2**20, send_timeout=10))
    server = await asyncio.get_running_loop().create_server(
        lambda: HttpConnection(hub), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        await hub.drain(10)
        server.close()
        await made.engine.drain(10)
        made.engine.close(10)


@asynccontextmanager
async def requests(port: int) -> AsyncIterator[Ask]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

        async def ask() -> None:
            answer = await client.post("/classify", json={"sequences": [WINDOW]})
            assert answer.status_code == 200

        yield ask


@asynccontextmanager
async def chunks(port: int) -> AsyncIterator[Ask]:
    async with websockets.connect(f"ws://127.0.0.1:{port}/stream") as websocket:
        await websocket.recv()
        offset = 0

        async def ask() -> None:
            nonlocal offset
            await websocket.send(json.dumps({"type": "chunk", "offset": offset, "steps": WINDOW}))
            offset += len(WINDOW)
            assert json.loads(await websocket.recv())["type"] == "prediction"

        yield ask


def drawn(heading: str) -> tuple[set[str], set[str]]:
    """Files of the drawing below that heading: those within its frame, and those beside it."""
    section = page.read("architecture.md").split(f"## {heading}\n")[1]
    (drawing, *_) = (block.text for block in page.blocks(section) if block.language == "mermaid")
    frame = re.search(r"subgraph .*?\n(.*?)\n +end", drawing, re.S)
    assert frame is not None
    within, everything = (set(re.findall(r"[\w/]+\.py", text)) for text in (frame[1], drawing))
    return within, everything - within


@pytest.mark.parametrize(
    ("heading", "way"), [("A request's path", requests), ("A chunk's path", chunks)]
)
async def test_the_files_of_the_drawing_pass_it_on(heading: str, way: Way) -> None:
    with recording() as recorder:
        async with service() as port, way(port) as ask:
            await ask()  # what happens once has happened
            recorder.on = True
            await ask()
            recorder.on = False
    within, beside = drawn(heading)
    assert recorder.passed_on == within
    assert len(within) <= MOST
    assert beside <= recorder.entered
