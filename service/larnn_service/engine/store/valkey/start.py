"""The first questions to a store, before the service starts, and what to do where one fails."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from redis.exceptions import RedisClusterException, RedisError, ResponseError

from larnn_service.engine.store.valkey import scripts
from larnn_service.engine.store.valkey.address import CLUSTER, SENTINEL
from larnn_service.engine.store.valkey.client import Valkey
from larnn_service.engine.store.valkey.lane import Command
from larnn_service.engine.store.valkey.reasons import sentence
from larnn_service.errors import StartupError

T = TypeVar("T")
_LIFE = 1_000
"""Milliseconds for which what was tried is kept."""


def alone(connect: Callable[[], Valkey], work: Callable[[Valkey], Coroutine[Any, Any, T]]) -> T:
    """Do it now, with connections of its own, in whichever event loop or none. Blocks.

    Raises StartupError, without a name or a password.
    """

    async def run() -> T:
        valkey = connect()
        try:
            return await work(valkey)
        except (RedisError, RedisClusterException, OSError) as error:
            raise StartupError(sentence(error, valkey.address, valkey.awaited)) from error
        finally:
            await valkey.close()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run()).result()


async def attempt(valkey: Valkey) -> None:
    """All that the service will ask, once. Raises StartupError, and what `Valkey.ask` raises."""
    await _check_mode(valkey)
    await probe(valkey, patient=False)
    token = f"start-{secrets.token_hex(8)}"
    stream, key = scripts.STREAM + token, scripts.KEY + token
    for command in (
        scripts.run(scripts.CLAIM, key, _LIFE, token, ""),
        scripts.run(scripts.CREATE, stream, _LIFE, "start", 1, b"", key),
        scripts.run(scripts.CONFIRM, key, _LIFE, token),
        scripts.run(scripts.TAKE, stream, _LIFE, 0),
        scripts.run(scripts.SAVE, stream, _LIFE, 0, 0, b"", 1),
        Command(key, ["PEXPIRE", key, _LIFE], writes=True),
        Command(key, ["GET", key]),
        Command(stream, ["HMGET", stream, "fence"]),
        Command(stream, ["EXISTS", stream]),
        Command(stream, ["DEL", stream], writes=True),
    ):
        await valkey.ask(command, patient=False)


async def keep_secret(valkey: Valkey, fresh: str) -> str:
    """`Store.keep_secret`."""
    name = scripts.SECRET
    await valkey.ask(Command(name, ["SET", name, fresh, "NX"], writes=True))
    return str(await valkey.ask(Command(name, ["GET", name])), "ascii")


async def probe(valkey: Valkey, *, patient: bool) -> None:
    """Write something small to each server. Raises what `Valkey.ask` raises."""
    keys = await valkey.keys()
    await asyncio.gather(*(valkey.ask(scripts.probe(key), patient=patient) for key in keys))


async def _check_mode(valkey: Valkey) -> None:
    """Raises StartupError where the servers are of another kind than the address says."""
    if valkey.address.kind != "server":
        return
    at = f"LARNN_STORE: the server at {valkey.address.hosts}"
    try:
        told = await valkey.ask(Command("", ["HELLO"]), patient=False)
    except ResponseError:  # a proxy may not know it
        return
    pairs = told.items() if isinstance(told, dict) else zip(told[::2], told[1::2], strict=True)
    mode = {_text(name): _text(value) for name, value in pairs}.get("mode")
    if mode == "cluster":
        raise StartupError(f"{at} is one of a cluster: say {CLUSTER}")
    if mode == "sentinel":
        raise StartupError(f"{at} is a Sentinel: say {SENTINEL}")


def _text(value: Any) -> str:
    return str(value, "ascii", "replace") if isinstance(value, bytes) else str(value)
