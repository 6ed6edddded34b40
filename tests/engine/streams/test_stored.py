"""What is stored of a stream and is none: expired for its client, told once to the log."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest

from larnn_service.engine.store.factory import open_store
from larnn_service.engine.store.interface import Store
from larnn_service.engine.streams.checkpoint import MAGIC, Checkpoint, beginning, encode
from larnn_service.engine.streams.places import Places
from larnn_service.engine.streams.registry import Streams
from larnn_service.errors import Expired, UnknownModel
from larnn_service.stream_ids import StreamIds
from larnn_service.telemetry.tags import tag
from tests.engine.replicas import IDLE, MODEL, MODELS


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = open_store(f"sqlite:///{tmp_path}/streams.db", ttl=60, timeout=30)
    store.prepare()
    yield store
    await store.close()


def replica(store: Store) -> Streams:
    return Streams(store, StreamIds("secret"), MODELS, Places(10), idle_timeout=IDLE)


def damage(folder: Path, **fields: object) -> None:
    """Give every stream in the file these values."""
    with contextlib.closing(sqlite3.connect(folder / "streams.db")) as db, db:
        for field, value in fields.items():
            db.execute(f"UPDATE streams SET {field} = ?", [value])


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"fence": "abc"}, "fence"),
        ({"model": b"toy"}, "model"),
        ({"model": "toz"}, "another model"),
        ({"version": "1" * 60}, "version"),
        ({"version": 7}, "another model"),
        ({"checkpoint": b"LARNN"}, "checkpoint"),
        ({"checkpoint": "text"}, "bytes"),
    ],
)
async def test_a_damaged_stream_is_expired_told_once_and_can_be_erased(
    store: Store,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    fields: dict[str, object],
    told: str,
) -> None:
    stream = await replica(store).open(MODEL)
    damage(tmp_path, **fields)
    streams = replica(store)
    for _ in range(5):
        with pytest.raises(Expired, match="damaged"):
            await streams.resume(stream.id)
        with pytest.raises(Expired, match="damaged"):
            await streams.look(stream.id)
    [line] = [record.getMessage() for record in caplog.records]
    assert tag(stream.id) in line and told in line and stream.id not in line
    await streams.remove(stream.id)
    with pytest.raises(Expired, match="deleted"):
        await streams.resume(stream.id)


async def test_a_shape_that_nothing_has_is_damage(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The checksum is right: whoever wrote the row made it so."""
    stream = await replica(store).open(MODEL)
    row = encode(stream.checkpoint)
    start = row.index(b"total") + len(b"total") + 4  # behind the dtype: a shape of one number
    body = row[len(MAGIC) + 4 : start] + b"\x91\xcf" + (2**63).to_bytes(8, "big") + row[start + 2 :]
    body = (int.from_bytes(body[:4], "little") + 8).to_bytes(4, "little") + body[4:]
    damage(tmp_path, checkpoint=MAGIC + zlib.crc32(body).to_bytes(4, "little") + body)
    with pytest.raises(Expired, match="damaged"):
        await replica(store).look(stream.id)
    [line] = [record.getMessage() for record in caplog.records]
    assert "header does not tell what follows" in line


async def test_a_stream_of_a_model_that_is_not_here_is_not_damaged(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    ids = StreamIds("secret")
    start = beginning(MODEL, ids.new())
    other = Checkpoint(start.stream, "elsewhere", 3, 0, start.outputs, start.state)
    await store.create(other)
    with pytest.raises(UnknownModel):
        await replica(store).resume(start.stream)
    assert not caplog.records


@pytest.mark.parametrize(
    ("position", "logits", "state"),
    [
        (0, (0, 3), {"total": np.zeros(2, np.float32)}),
        (0, (0, 3), {"total": np.zeros(3, np.float32), "seen": np.array(0)}),
        (0, (0, 3), {"total": np.zeros(2, np.float64), "seen": np.array(0)}),
        (0, (0, 3), {"total": np.zeros(2, np.float32), "seen": np.array(0), "more": np.array(0)}),
        (5, (2, 4), {"total": np.zeros(2, np.float32), "seen": np.array(0)}),
        (1, (2, 3), {"total": np.zeros(2, np.float32), "seen": np.array(0)}),
        (-1, (0, 3), {"total": np.zeros(2, np.float32), "seen": np.array(0)}),
    ],
)
async def test_a_whole_checkpoint_that_is_none_of_the_models_is_damaged(
    store: Store, position: int, logits: tuple[int, int], state: dict[str, np.ndarray]
) -> None:
    """As where a version was published again with another contract."""
    name = StreamIds("secret").new()
    start = Checkpoint(name, "toy", 1, position, np.zeros(logits, np.float32), state)
    await store.create(start)
    with pytest.raises(Expired, match="damaged"):
        await replica(store).resume(name)


async def test_a_checkpoint_of_another_stream_is_not_given(store: Store, tmp_path: Path) -> None:
    streams = replica(store)
    stream, other = await streams.open(MODEL), await streams.open(MODEL)
    damage(tmp_path, checkpoint=encode(other.checkpoint))
    with pytest.raises(Expired, match="damaged"):
        await replica(store).resume(stream.id)
    assert await replica(store).resume(other.id)


async def test_the_key_of_a_damaged_stream_opens_a_new_one(store: Store, tmp_path: Path) -> None:
    stream = await replica(store).open(MODEL, "key")
    damage(tmp_path, fence="abc")
    streams = replica(store)
    again = await streams.open(MODEL, "key")
    assert again.id != stream.id
    assert await streams.open(MODEL, "key") is again
