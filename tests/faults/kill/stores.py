"""The stores of the kill test, and how each of them fails."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from tests import valkey, valkeys

Kind = Literal["server", "cluster", "sentinel"]
AHEAD = 2.0
"""Seconds for which a primary that is ahead of its replicas takes checkpoints that they lack."""


class Store(Protocol):
    """What the replicas share."""

    @property
    def url(self) -> str:
        """As LARNN_STORE names it."""

    def fail(self, also: Callable[[], None], ahead: bool = False) -> None:
        """Kill a server, and at the same moment `also`; at the end all servers run again.

        `ahead`: its replicas lack the last seconds of what it took.
        """


@dataclass(frozen=True)
class One:
    """One server, which has every write on its disk: started again, it has all."""

    server: valkey.Server

    @property
    def url(self) -> str:
        return self.server.url

    def fail(self, also: Callable[[], None], ahead: bool = False) -> None:
        assert not ahead, "one server has no replicas"
        self.server.kill()
        also()
        self.server.start()


@dataclass(frozen=True)
class Several:
    """A cluster, or a server with Sentinels: a replica takes the place of a primary that dies."""

    servers: valkeys.Cluster | valkeys.Watched

    @property
    def url(self) -> str:
        return self.servers.url

    def fail(self, also: Callable[[], None], ahead: bool = False) -> None:
        primary, replicas = self.servers.shard()
        with valkeys.ahead(primary, replicas) if ahead else contextlib.nullcontext():
            if ahead:
                time.sleep(AHEAD)
            primary.kill()
            also()
        valkey.until(self.servers.is_promoted, "no replica was promoted")
        primary.start()
        valkey.until(primary.is_up_to_date, "the server that was killed follows nobody")


@contextlib.contextmanager
def running(kind: Kind, folder: Path) -> Iterator[Store]:
    """A store until the end of the block; `folder` is for what its servers write."""
    with ExitStack() as stack:
        if kind == "server":
            yield One(stack.enter_context(valkey.running(folder)))
        elif kind == "cluster":
            yield Several(stack.enter_context(valkeys.cluster(folder)))
        else:
            yield Several(stack.enter_context(valkeys.watched(folder)))
