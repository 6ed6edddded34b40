"""What the server does in one step. Each script touches the one key that it is given.

A stream is a hash of its own: fence, model, version, checkpoint, and where it has one the name of
its idempotency key and when that was renewed, in milliseconds. The key is a string: the stream's
id, with a question mark in front until the stream is known to be there.
"""

from __future__ import annotations

from larnn_service.engine.store.valkey.lane import Command

STREAM, KEY, SECRET, PROBE = "larnn:stream:", "larnn:key:", "larnn:secret", "larnn:probe:"
PENDING = "?"
_PROBED = 1_000
"""Milliseconds for which a probe is kept."""

_NOW = """
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
"""
_NEXT_FENCE = """
local function next_fence(last)
  if not string.match(last, '^[1-9]%d*$') or #last > 15 then return last end
  return math.max(last + 1, now())
end
"""
_REFRESH = """
local function refresh(ttl, lease, key, renewed)
  redis.call('PEXPIRE', KEYS[1], ttl)
  if not key or now() < (tonumber(renewed) or 0) + lease then return false end
  redis.call('HSET', KEYS[1], 'renewed', now())
  return key
end
"""
CREATE = f"""{_NOW}{_NEXT_FENCE}
local ttl, model, version, checkpoint, key = unpack(ARGV)
if redis.call('EXISTS', KEYS[1]) == 1 then return false end
local fence = next_fence('1')
redis.call('HSET', KEYS[1], 'fence', fence, 'model', model, 'version', version,
           'checkpoint', checkpoint)
if key then redis.call('HSET', KEYS[1], 'key', key, 'renewed', now()) end
redis.call('PEXPIRE', KEYS[1], ttl)
return fence
""".encode()
"""Its fence; nothing where the stream is there already."""
TAKE = f"""{_NOW}{_NEXT_FENCE}{_REFRESH}
local row = redis.call('HMGET', KEYS[1], 'fence', 'model', 'version', 'checkpoint', 'key',
                       'renewed')
local renewed = table.remove(row)
if redis.call('EXISTS', KEYS[1]) == 0 then return row end
row[1] = next_fence(row[1] or '')
redis.call('HSET', KEYS[1], 'fence', row[1])
row[5] = refresh(ARGV[1], ARGV[2], row[5], renewed)
return row
""".encode()
"""Fence, model, version, checkpoint, and the key where it is to be renewed."""
SAVE = f"""{_NOW}{_REFRESH}
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then return 'gone' end
local fence, key, renewed = unpack(redis.call('HMGET', KEYS[1], 'fence', 'key', 'renewed'))
if not fence then return 'gone' end
if tonumber(fence) ~= tonumber(ARGV[3]) then return 'moved' end
redis.call('HSET', KEYS[1], 'checkpoint', ARGV[4], 'version', ARGV[5])
return refresh(ARGV[1], ARGV[2], key, renewed) or 'saved'
""".encode()
"""What came of it, or the key that is to be renewed now that it is saved."""
_NAMED = """
local named = redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GET', KEYS[1])
"""
CLAIM = f"""{_NAMED}
if named and named ~= ARGV[3] then return named end
redis.call('SET', KEYS[1], '?' .. ARGV[2], 'PX', ARGV[1])
return '?' .. ARGV[2]
""".encode()
"""Whom the key names: this stream, if it names none, or one that is known to be dead."""
CONFIRM = f"""{_NAMED}
if named ~= '?' .. ARGV[2] and named ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
return 1
""".encode()
"""Whether the key still names this stream, which is there."""


def run(script: bytes, key: str, *arguments: str | int | bytes) -> Command:
    """Run the script on its key."""
    return Command(key, ["EVAL", script, 1, key, *arguments], writes=True)


def probe(key: str) -> Command:
    """Write something small to the server that has the key, which stays as it is."""
    place = f"{PROBE}{{{key}}}"
    return Command(place, ["SET", place, "", "PX", _PROBED], writes=True)
