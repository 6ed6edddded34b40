"""Sequences of Triton's sequence batcher, for the client's process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from benchmarks.client import Asker, Connection, post
from benchmarks.peers.asks import binary_body
from benchmarks.peers.triton_stream import MODEL
from benchmarks.signals import signal


@dataclass(frozen=True)
class TritonStreams:
    """Sequences of Triton's sequence batcher, in its binary form over HTTP."""

    port: int
    streams: int
    steps: int
    first: int
    """The first sequence id: one that ended may still be remembered."""

    async def open(self) -> list[Asker]:
        sequences = [Sequence(self.port, self.first + i, self.steps) for i in range(self.streams)]
        for sequence in sequences:
            await sequence.start()
        return list(sequences)


class Sequence:
    """One sequence on a connection of its own."""

    def __init__(self, port: int, number: int, steps: int) -> None:
        self._request = _sequence_request(port, number, steps, sequence_start=True)
        self._next = _sequence_request(port, number, steps)
        self._end = _sequence_request(port, number, steps, sequence_end=True)
        self._port = port

    async def start(self) -> None:
        """Connect, and send the first chunk, which says that it is the first."""
        self._connection = await Connection.open(self._port, lambda: self._request)
        await self._connection.repeat(1)
        self._request = self._next

    async def repeat(self, times: int, until: float = float("inf")) -> list[float]:
        return await self._connection.repeat(times, until)

    async def close(self) -> None:
        self._request = self._end
        await self._connection.repeat(1)
        await self._connection.close()


def _sequence_request(port: int, number: int, steps: int, **flags: Any) -> bytes:
    body, headers = binary_body(signal(steps), sequence_id=number, **flags)
    return post(port, f"/v2/models/{MODEL}/infer", body, headers)
