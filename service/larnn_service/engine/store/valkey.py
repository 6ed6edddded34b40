"""A store that replicas share: Valkey or Redis, one server-side script for each write.

A stream is a hash: fence, model, version, checkpoint and, where it has one, its key. A script
runs alone in the server, so that comparing the fence and writing are one step.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from hashlib import blake2s
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError, ResponseError

from larnn_service.engine.store import rows
from larnn_service.engine.store.health import StoreHealth
from larnn_service.engine.store.interface import Head, Outcome, Survives
from larnn_service.engine.streams.checkpoint import Checkpoint, DamagedCheckpoint, encode
from larnn_service.errors import StartupError

T = TypeVar("T")
_STREAM, _KEY, _SECRET = "larnn:stream:", "larnn:key:", "larnn:secret"
_PROBE = "larnn:probe"
_CONNECTIONS = 32
_FIELDS = "'fence', 'model', 'version', 'checkpoint'"

_NEXT_FENCE = """
local function next_fence(last)
  if not string.match(last, '^[1-9]%d*$') or #last > 15 then return last end
  local time = redis.call('TIME')
  return math.max(last + 1, time[1] * 1000 + math.floor(time[2] / 1000))
end
"""
_CREATE = f"""{_NEXT_FENCE}
local stream, ttl, model, version, checkpoint, key = unpack(ARGV)
if key then
  local living = redis.call('TYPE', key).ok == 'string' and redis.call('GET', key)
  if living and living ~= stream and redis.call('EXISTS', '{_STREAM}' .. living) == 1 then
    return living
  end
  redis.call('SET', key, stream, 'PX', ttl)
  redis.call('HSET', KEYS[1], 'key', key)
end
local fence = next_fence('1')
redis.call('HSET', KEYS[1], 'fence', fence, 'model', model, 'version', version,
           'checkpoint', checkpoint)
redis.call('PEXPIRE', KEYS[1], ttl)
return fence
"""
_REFRESH = """
local function refresh(ttl)
  redis.call('PEXPIRE', KEYS[1], ttl)
  local key = redis.call('HGET', KEYS[1], 'key')
  if key then redis.call('PEXPIRE', key, ttl) end
end
"""
_TAKE = f"""{_NEXT_FENCE}{_REFRESH}
local row = redis.call('HMGET', KEYS[1], {_FIELDS})
if redis.call('EXISTS', KEYS[1]) == 0 then return row end
row[1] = next_fence(row[1] or '')
redis.call('HSET', KEYS[1], 'fence', row[1])
refresh(ARGV[1])
return row
"""
_SAVE = f"""{_REFRESH}
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return 'gone' end
local fence = redis.call('HGET', KEYS[1], 'fence')
if not fence then return 'gone' end
if tonumber(fence) ~= tonumber(ARGV[2]) then return 'moved' end
redis.call('HSET', KEYS[1], 'checkpoint', ARGV[3], 'version', ARGV[4])
refresh(ARGV[1])
return 'saved'
"""
_DELETE = """
if redis.call('TYPE', KEYS[1]).ok == 'hash' then
  local key = redis.call('HGET', KEYS[1], 'key')
  if key then redis.call('DEL', key) end
end
return redis.call('DEL', KEYS[1])
"""
_DIGITS = re.compile(rb"[0-9]{1,16}")
_OUTCOMES: dict[bytes, Outcome] = {b"saved": "saved", b"moved": "moved", b"gone": "gone"}


class ValkeyStore:
    """Streams in a Valkey or Redis server, which forgets them by itself. Times in seconds."""

    survives: Survives = "replica"

    def __init__(self, url: str, *, ttl: float, timeout: float) -> None:
        self._url = url
        self._ttl = max(1, round(ttl * 1000))
        self._timeout = timeout
        self.health = StoreHealth(self._probe)
        self._timeouts: dict[str, Any] = {
            "socket_timeout": timeout,
            "socket_connect_timeout": timeout,
        }
        pool = BlockingConnectionPool.from_url(
            url, max_connections=_CONNECTIONS, timeout=timeout, **self._timeouts
        )
        self._server: Redis = Redis(connection_pool=pool)
        self._create, self._take, self._save, self._delete = map(
            self._server.register_script, (_CREATE, _TAKE, _SAVE, _DELETE)
        )

    def prepare(self) -> None:
        self._ask(lambda server: server.ping())

    def keep_secret(self, fresh: str) -> str:
        self._ask(lambda server: server.set(_SECRET, fresh, nx=True))
        return str(self._ask(lambda server: server.get(_SECRET)), "ascii")

    async def _answer(self, command: Awaitable[Any] | Any) -> Any:
        """What the server answers in time. Raises Unavailable, or DamagedCheckpoint."""
        try:
            async with asyncio.timeout(self._timeout):
                return await command
        except (RedisError, OSError) as error:
            if "WRONGTYPE" in str(error):
                raise DamagedCheckpoint("the store has something else in its place") from error
            raise self.health.failed(f"Valkey: {_kind(error)}") from error

    async def _probe(self) -> None:
        """A write, which a server that is full or no longer the first refuses."""
        await self._answer(self._server.set(_PROBE, "", px=self._ttl))

    def _ask(self, question: Callable[[redis.Redis], Any]) -> Any:
        """Blocks. Raises StartupError, without the address: a password may be inside."""
        try:
            with redis.Redis.from_url(self._url, **self._timeouts) as server:
                return question(server)
        except RedisError as error:
            raise StartupError(
                f"LARNN_STORE: the server at {urlsplit(self._url).hostname} does not serve "
                f"({type(error).__name__}): start it first, or correct redis://host:port/0"
            ) from error

    async def create(self, checkpoint: Checkpoint, key: str | None = None) -> Head | str:
        model, version = checkpoint.model, checkpoint.version
        arguments: list[str | int | bytes] = [checkpoint.stream, self._ttl, model, version]
        keys = [] if key is None else [_key_name(key)]
        arguments += [encode(checkpoint), *keys]
        reply = await self._answer(self._create(keys=[_name(checkpoint.stream)], args=arguments))
        if isinstance(reply, bytes):
            return reply.decode()
        return Head(reply, model, version)

    async def named(self, key: str) -> str | None:
        with contextlib.suppress(DamagedCheckpoint):
            reply = await self._answer(self._server.get(_key_name(key)))
            return reply and str(reply, "ascii", "replace")
        return None

    async def head(self, stream: str) -> Head | None:
        found = await self._answer(self._server.hmget(_name(stream), ["fence", "model", "version"]))
        return None if _is_gone(found) else rows.head(*_fields(*found))

    async def load(self, stream: str) -> Checkpoint | None:
        fields = ["fence", "model", "version", "checkpoint"]
        return _checkpoint(stream, await self._answer(self._server.hmget(_name(stream), fields)))

    async def take(self, stream: str) -> Checkpoint | None:
        reply = await self._answer(self._take(keys=[_name(stream)], args=[self._ttl]))
        return _checkpoint(stream, reply)

    async def save(self, checkpoint: Checkpoint) -> Outcome:
        arguments: list[int | bytes] = [self._ttl, checkpoint.fence, encode(checkpoint)]
        arguments.append(checkpoint.version)
        reply = await self._answer(self._save(keys=[_name(checkpoint.stream)], args=arguments))
        return _OUTCOMES[reply]

    async def delete(self, stream: str) -> bool:
        return bool(await self._answer(self._delete(keys=[_name(stream)])))

    async def purge(self) -> None:
        pass

    async def close(self) -> None:
        self.health.close()
        await self._server.aclose()
        await self._server.connection_pool.disconnect()


def _name(stream: str) -> str:
    return _STREAM + stream


def _key_name(key: str) -> str:
    return _KEY + blake2s(key.encode()).hexdigest()


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


def _kind(error: Exception) -> str:
    """What went wrong, without the server's text: an address may be inside."""
    word = str(error).partition(" ")[0]
    told = isinstance(error, ResponseError) and word.isalpha() and word.isupper()
    return f"{type(error).__name__} {word}" if told else type(error).__name__
