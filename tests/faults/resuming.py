"""A client that resumes: it keeps what is not durable, and counts what it is told.

Only what docs/protocol.md promises; each promise is asserted as it goes.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from tests import live

Floats = NDArray[np.float32]
AWAY = (ConnectionClosed, InvalidHandshake, OSError, TimeoutError)
TRY_AGAIN = ("draining", "moved", "unavailable", "full")


class TryAgain(Exception):
    """The service says that it cannot go on here and now."""


@dataclass
class Resuming:
    """Sends `signal` [steps, channels] by chunks to any of `addresses`, base URLs, until it ends.

    `answers` has one entry of logits a step; `resumed` counts the connections after the first,
    `repeated` the steps that were answered again.
    """

    signal: Floats
    addresses: Sequence[str]
    chunk: int = 8
    half: asyncio.Barrier | None = None
    """Meets the others there when half of the signal is answered."""
    over: asyncio.Event | None = None
    """Is waited for before the last quarter of the signal."""
    answers: list[list[float]] = field(default_factory=list)
    stream: str | None = None
    durable: int = 0
    resumed: int = -1
    repeated: int = 0

    async def run(self) -> Floats:
        """Logits [steps, classes]."""
        for attempt in itertools.count():
            url = self.addresses[attempt % len(self.addresses)]
            try:
                async with connect(self._address(url), open_timeout=20) as socket:
                    await self._converse(socket)
                    return np.array(self.answers, dtype=np.float32)
            except (*AWAY, TryAgain):
                await asyncio.sleep(0.02)  # between tries, as any client has it
        raise AssertionError

    def _address(self, url: str) -> str:
        query = "?emit=every&logits=true"
        return live.websocket_url(url) + query + (f"&stream={self.stream}" if self.stream else "")

    async def _converse(self, socket: ClientConnection) -> None:
        opened = await self._hear(socket)
        assert opened["position"] >= self.durable, "what was durable is gone"
        assert opened["durable"] >= self.durable, "what was durable is gone"
        self.resumed += 1
        self.stream = opened["stream"]
        offset = min(opened["position"], len(self.answers))
        while offset < len(self.signal):
            if self.half is not None and offset >= len(self.signal) // 2:
                await self.half.wait()
                self.half = None
            if self.over is not None and offset >= len(self.signal) * 3 // 4:
                await self.over.wait()
            steps = self.signal[offset : offset + self.chunk]
            message = {"type": "chunk", "offset": offset, "steps": steps.tolist()}
            await socket.send(json.dumps(message | {"acked": min(offset, len(self.answers))}))
            answer = await self._hear(socket)
            assert answer["type"] == "prediction", answer
            self._count(offset, answer)
            offset += len(steps)
        await socket.send('{"type": "end"}')
        ended = await self._hear(socket)
        assert ended == {"type": "ended", "position": len(self.signal)}, ended

    def _count(self, offset: int, answer: dict[str, Any]) -> None:
        assert answer["durable"] >= self.durable
        self.durable = answer["durable"]
        logits = [step["logits"] for step in answer["predictions"]]
        assert answer["position"] == offset + len(logits)
        known = self.answers[offset:]
        self.repeated += min(len(known), len(logits))
        assert offset <= len(self.answers), "an answer is missing"
        for first, again in zip(known, logits, strict=False):
            assert np.allclose(first, again, rtol=1e-5, atol=1e-5), "another answer than before"
        self.answers += logits[len(known) :]

    async def _hear(self, socket: ClientConnection) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 60))
        if message.get("code") in TRY_AGAIN:
            raise TryAgain
        return message
