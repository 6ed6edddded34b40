"""Which store an address names."""

from __future__ import annotations

from pathlib import Path

from larnn_service.engine.store.interface import Store
from larnn_service.engine.store.memory import MemoryStore
from larnn_service.engine.store.sqlite import SqliteStore
from larnn_service.engine.store.valkey.awaited import NONE, Awaited


def open_store(
    address: str, *, ttl: float, timeout: float, connections: int = 32, awaited: Awaited = NONE
) -> Store:
    """The store of an address that Settings has let pass; ttl and timeout in seconds.

    `connections` and `awaited` are of Valkey and Redis. Raises StartupError.
    """
    if address == "memory":
        return MemoryStore()
    if address.startswith("sqlite://"):
        return SqliteStore(Path(address.removeprefix("sqlite:///")), ttl=ttl, timeout=timeout)
    # redis-py is a fifth of the time that a start takes, and no other store needs it.
    from larnn_service.engine.store.valkey.store import ValkeyStore

    return ValkeyStore(address, ttl=ttl, timeout=timeout, connections=connections, awaited=awaited)
