"""A store that replicas share: Valkey or Redis, one server-side script for each write.

A stream is a hash: fence, model, version, checkpoint and, where it has one, its key. A script
runs alone in the server, so that comparing the fence and writing are one step.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from hashlib import blake2s
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from larnn_service.engine.store.interface import Head, Outcome, Survives
from larnn_service.engine.streams.checkpoint import Checkpoint, decode, encode
from larnn_service.errors import StartupError, Unavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")
_STREAM, _KEY, _SECRET = "larnn:stream:", "larnn:key:", "larnn:secret"
_CONNECTIONS = 32

_NEXT_FENCE = """
local function next_fence(last)
  local time = redis.call('TIME')
  return math.max(last + 1, time[1] * 1000 + math.floor(time[2] / 1000))
end
"""
_CREATE = f"""{_NEXT_FENCE}
local stream, ttl, model, version, checkpoint, key = unpack(ARGV)
if key then
  local living = redis.call('GET', key)
  if living and living ~= stream and redis.call('EXISTS', '{_STREAM}' .. living) == 1 then
    return living
  end
  redis.call('SET', key, stream, 'PX', ttl)
  redis.call('HSET', KEYS[1], 'key', key)
end
local fence = next_fence(0)
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
local last = redis.call('HGET', KEYS[1], 'fence')
if not last then return false end
local fence = next_fence(tonumber(last))
redis.call('HSET', KEYS[1], 'fence', fence)
refresh(ARGV[1])
return {{redis.call('HGET', KEYS[1], 'checkpoint'), fence}}
"""
_SAVE = f"""{_REFRESH}
local fence = redis.call('HGET', KEYS[1], 'fence')
if not fence then return 'gone' end
if tonumber(fence) ~= tonumber(ARGV[2]) then return 'moved' end
redis.call('HSET', KEYS[1], 'checkpoint', ARGV[3], 'version', ARGV[4])
refresh(ARGV[1])
return 'saved'
"""
_DELETE = """
local key = redis.call('HGET', KEYS[1], 'key')
if key then redis.call('DEL', key) end
redis.call('DEL', KEYS[1])
"""
_OUTCOMES: dict[bytes, Outcome] = {b"saved": "saved", b"moved": "moved", b"gone": "gone"}


class ValkeyStore:
    """Streams in a Valkey or Redis server, which forgets them by itself. Times in seconds."""

    survives: Survives = "replica"

    def __init__(self, url: str, *, ttl: float, timeout: float) -> None:
        self._url = url
        self._ttl = max(1, round(ttl * 1000))
        self._timeout = timeout
        self._away = False
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
        """What the server answers in time. Raises Unavailable; the log tells when that begins."""
        try:
            async with asyncio.timeout(self._timeout):
                reply = await command
        except (RedisError, OSError) as error:
            if not self._away:
                logger.warning("the store does not answer: %s", type(error).__name__)
            self._away = True
            raise Unavailable() from error
        if self._away:
            logger.warning("the store answers again")
        self._away = False
        return reply

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
        reply = await self._answer(self._server.get(_key_name(key)))
        return reply and str(reply, "ascii")

    async def head(self, stream: str) -> Head | None:
        fields = ["fence", "model", "version"]
        fence, model, version = await self._answer(self._server.hmget(_name(stream), fields))
        return None if fence is None else Head(int(fence), model.decode(), int(version))

    async def load(self, stream: str) -> Checkpoint | None:
        fields = ["checkpoint", "fence"]
        data, fence = await self._answer(self._server.hmget(_name(stream), fields))
        return None if fence is None else decode(data, int(fence))

    async def take(self, stream: str) -> Checkpoint | None:
        reply = await self._answer(self._take(keys=[_name(stream)], args=[self._ttl]))
        return reply and decode(*reply)

    async def save(self, checkpoint: Checkpoint) -> Outcome:
        arguments: list[int | bytes] = [self._ttl, checkpoint.fence, encode(checkpoint)]
        arguments.append(checkpoint.version)
        reply = await self._answer(self._save(keys=[_name(checkpoint.stream)], args=arguments))
        return _OUTCOMES[reply]

    async def delete(self, stream: str) -> None:
        await self._answer(self._delete(keys=[_name(stream)]))

    async def purge(self) -> None:
        pass

    async def close(self) -> None:
        await self._server.aclose()
        await self._server.connection_pool.disconnect()


def _name(stream: str) -> str:
    return _STREAM + stream


def _key_name(key: str) -> str:
    return _KEY + blake2s(key.encode()).hexdigest()
