"""Streams in Valkey or Redis, which forgets them by itself."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from hashlib import blake2s
from typing import Any

from msgspec.structs import replace
from redis.exceptions import RedisClusterException, RedisError

from larnn_service.engine.store import rows
from larnn_service.engine.store.health import StoreHealth
from larnn_service.engine.store.interface import Head, Outcome, Survives
from larnn_service.engine.store.valkey import scripts, start
from larnn_service.engine.store.valkey.address import read
from larnn_service.engine.store.valkey.awaited import NONE, Awaited
from larnn_service.engine.store.valkey.client import Valkey
from larnn_service.engine.store.valkey.lane import Command
from larnn_service.engine.store.valkey.reasons import kind
from larnn_service.engine.streams.checkpoint import Checkpoint, DamagedCheckpoint, encode
from larnn_service.errors import Unavailable

_ROW = ["fence", "model", "version", "checkpoint"]
_DIGITS = re.compile(rb"[0-9]{1,16}")
_OUTCOMES: dict[bytes, Outcome] = {b"saved": "saved", b"moved": "moved", b"gone": "gone"}


class ValkeyStore:
    """Streams by id, each a key of its own, so that a cluster spreads them. Times in seconds.

    A write counts once it has the copies that are awaited, and what is loaded has them: then a
    stream outlives the server, too.
    """

    def __init__(
        self,
        url: str,
        *,
        ttl: float,
        timeout: float,
        connections: int = 32,
        awaited: Awaited = NONE,
    ) -> None:
        """`connections`: to each server. Raises StartupError where the address says nothing."""
        self._ttl = max(1, round(ttl * 1000))
        self._lease = max(1, self._ttl // 4)
        """Milliseconds after which a stream's key is renewed; it lives longer by as many."""
        self._address = read(url)
        self._awaited = awaited
        self.survives: Survives = "failover" if awaited.replicas else "replica"
        self._connect: Callable[[], Valkey] = lambda: Valkey(
            self._address, connections=connections, awaited=awaited, timeout=timeout
        )
        self._valkey = self._connect()
        self.health = StoreHealth(self._probe)

    def prepare(self) -> None:
        start.alone(self._connect, start.attempt)

    def keep_secret(self, fresh: str) -> str:
        return start.alone(self._connect, lambda valkey: start.keep_secret(valkey, fresh))

    async def create(self, checkpoint: Checkpoint, key: str | None = None) -> Head | str:
        if key is None:
            return await self._create(checkpoint)
        name, dead = _key_name(key), ""
        while True:
            named = await self._claim(name, checkpoint.stream, dead)
            stream = named.removeprefix(scripts.PENDING)
            if stream == named:
                if await self._is_there(stream):
                    return stream
                dead = named
                continue
            # Who claimed the key first is on its way, or never came: either may create the stream.
            made = await self._create(replace(checkpoint, stream=stream), name)
            if await self._confirm(name, stream):
                return made if stream == checkpoint.stream else stream
            if isinstance(made, Head):
                await self.delete(stream)

    async def named(self, key: str) -> str | None:
        name = _key_name(key)
        with contextlib.suppress(DamagedCheckpoint):
            if found := await self._answer(Command(name, ["GET", name])):
                stream = _text(found).removeprefix(scripts.PENDING)
                return stream if await self._is_there(stream) else None
        return None

    async def head(self, stream: str) -> Head | None:
        found = await self._answer(_fields_of(stream, _ROW[:3]))
        return None if _is_gone(found) else rows.head(*_fields(*found))

    async def load(self, stream: str) -> Checkpoint | None:
        found = await self._answer(_fields_of(stream, _ROW))
        if self._awaited.replicas:  # what was written before is there when what is written now is
            await self._answer(scripts.probe(_name(stream)))
        return _checkpoint(stream, found)

    async def take(self, stream: str) -> Checkpoint | None:
        command = scripts.run(scripts.TAKE, _name(stream), self._ttl, self._lease)
        *row, key = await self._answer(command)
        await self._renew(key)
        return _checkpoint(stream, row)

    async def save(self, checkpoint: Checkpoint) -> Outcome:
        name = _name(checkpoint.stream)
        fence, version = checkpoint.fence, checkpoint.version
        data = encode(checkpoint)
        command = scripts.run(scripts.SAVE, name, self._ttl, self._lease, fence, data, version)
        reply = await self._answer(command)
        if (outcome := _OUTCOMES.get(reply)) is None:
            await self._renew(reply)
        return outcome or "saved"

    async def delete(self, stream: str) -> bool:
        name = _name(stream)
        return bool(await self._answer(Command(name, ["DEL", name], writes=True)))

    async def purge(self) -> None:
        pass

    async def close(self) -> None:
        self.health.close()
        await self._valkey.close()

    async def _answer(self, command: Command) -> Any:
        """What the server answers in time. Raises Unavailable, or DamagedCheckpoint."""
        try:
            return await self._valkey.ask(command, patient=not self.health.reason)
        except (RedisError, RedisClusterException, OSError) as error:
            if "WRONGTYPE" in str(error):
                raise DamagedCheckpoint("the store has something else in its place") from error
            raise self.health.failed(f"Valkey: {kind(error)}") from error

    async def _probe(self) -> None:
        """A write to each server, which one that is full or no longer the first refuses."""
        try:
            await start.probe(self._valkey, patient=not self.health.reason)
        except (RedisError, RedisClusterException, OSError) as error:
            raise self.health.failed(f"Valkey: {kind(error)}") from error

    async def _create(self, checkpoint: Checkpoint, *key: str) -> Head | str:
        """Its head; the id of one that is there already."""
        model, version, data = checkpoint.model, checkpoint.version, encode(checkpoint)
        name = _name(checkpoint.stream)
        command = scripts.run(scripts.CREATE, name, self._ttl, model, version, data, *key)
        fence = await self._answer(command)
        return checkpoint.stream if fence is None else Head(fence, model, version)

    async def _claim(self, key: str, stream: str, dead: str) -> str:
        lives = self._ttl + self._lease
        return _text(await self._answer(scripts.run(scripts.CLAIM, key, lives, stream, dead)))

    async def _confirm(self, key: str, stream: str) -> bool:
        lives = self._ttl + self._lease
        return bool(await self._answer(scripts.run(scripts.CONFIRM, key, lives, stream)))

    async def _renew(self, key: bytes | None) -> None:
        """Where that fails there are further times before the key expires."""
        if key is not None:
            words = ["PEXPIRE", key, self._ttl + self._lease]
            with contextlib.suppress(Unavailable):
                await self._answer(Command(_text(key), words, writes=True))

    async def _is_there(self, stream: str) -> bool:
        name = _name(stream)
        return bool(await self._answer(Command(name, ["EXISTS", name])))


def _fields_of(stream: str, fields: list[str]) -> Command:
    name = _name(stream)
    return Command(name, ["HMGET", name, *fields])


def _name(stream: str) -> str:
    return scripts.STREAM + stream


def _key_name(key: str) -> str:
    return scripts.KEY + blake2s(key.encode()).hexdigest()


def _text(reply: bytes) -> str:
    return str(reply, "ascii", "replace")


def _is_gone(found: list[Any]) -> bool:
    return all(field is None for field in found)


def _checkpoint(stream: str, found: list[Any]) -> Checkpoint | None:
    if _is_gone(found):
        return None
    *fields, data = found
    return rows.checkpoint(stream, *_fields(*fields), data)


def _fields(fence: Any, model: Any, version: Any) -> tuple[object, object, object]:
    """Numbers and text of the server's bytes; what is neither stays what it is."""
    name = model.decode("ascii", "replace") if isinstance(model, bytes) else model
    return _number(fence), name, _number(version)


def _number(value: Any) -> object:
    return int(value) if isinstance(value, bytes) and _DIGITS.fullmatch(value) else value
