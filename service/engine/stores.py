"""Which store an address names."""

from __future__ import annotations

from pathlib import Path

from service.engine.memory_store import MemoryStore
from service.engine.sqlite_store import SqliteStore
from service.engine.store import Store
from service.engine.valkey_store import ValkeyStore


def open_store(address: str, *, ttl: float, timeout: float) -> Store:
    """The store of an address that Settings has let pass; ttl and timeout in seconds."""
    if address == "memory":
        return MemoryStore()
    if address.startswith("sqlite://"):
        return SqliteStore(Path(address.removeprefix("sqlite:///")), ttl=ttl, timeout=timeout)
    return ValkeyStore(address, ttl=ttl, timeout=timeout)
