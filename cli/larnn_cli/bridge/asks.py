"""What all lanes of a bridge share."""

from __future__ import annotations

from dataclasses import dataclass, field

from larnn_cli.bridge.counts import Counts
from larnn_cli.bridge.description import Bridge
from larnn_cli.bridge.seats import Seats
from larnn_client import AsyncClient


@dataclass(frozen=True)
class Asks:
    """The service, and what is asked of it."""

    client: AsyncClient
    bridge: Bridge
    width: int
    """Numbers of a step."""
    counts: Counts
    seats: Seats = field(init=False)
    """The connections that lanes share."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seats", Seats(self.bridge.max_streams))
