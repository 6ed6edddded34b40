"""A checkpoint as bytes: the same when read again, and refused when damaged."""

from __future__ import annotations

import contextlib
import tracemalloc
import zlib
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from msgspec.structs import replace

from larnn_service.engine.streams.checkpoint import (
    MAGIC,
    Checkpoint,
    DamagedCheckpoint,
    check,
    decode,
    encode,
)
from tests import toy

shapes = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)
tensors = arrays.arrays(np.float32, shapes) | arrays.arrays(np.int64, shapes)
checkpoints = st.builds(
    Checkpoint,
    stream=st.text(),
    model=st.text(),
    version=st.integers(1, 2**31),
    position=st.integers(0, 2**53),
    outputs=arrays.arrays(np.dtype("<f4"), st.tuples(st.integers(0, 4), st.integers(2, 3))),
    state=st.dictionaries(st.from_regex(r"[a-k][a-z0-9_]*", fullmatch=True), tensors, max_size=4),
    ended=st.booleans(),
)


def parts(checkpoint: Checkpoint) -> list[tuple[Any, ...]]:
    tensors = {"": checkpoint.outputs, **checkpoint.state}
    return [(name, t.dtype, t.shape, t.tobytes()) for name, t in tensors.items()]


def same(one: Checkpoint, other: Checkpoint) -> bool:
    """Bit for bit, NaN included."""
    bare = [replace(each, outputs=np.empty(0, np.float32), state={}) for each in (one, other)]
    return parts(one) == parts(other) and repr(bare[0]) == repr(bare[1])


@given(checkpoint=checkpoints, fence=st.integers(0, 2**53))
def test_read_again_it_is_the_same_under_the_stores_fence(
    checkpoint: Checkpoint, fence: int
) -> None:
    assert same(decode(encode(checkpoint), fence), replace(checkpoint, fence=fence))


@given(checkpoint=checkpoints, data=st.data())
def test_any_damaged_or_missing_byte_is_found(checkpoint: Checkpoint, data: st.DataObject) -> None:
    whole = encode(checkpoint)
    place = data.draw(st.integers(0, len(whole) - 1))
    flipped = bytes([whole[place] ^ data.draw(st.integers(1, 255))])
    with pytest.raises(DamagedCheckpoint):
        decode(whole[:place] + flipped + whole[place + 1 :], 0)
    with pytest.raises(DamagedCheckpoint):
        decode(whole[:place], 0)


def stored(*fields: Any, tensors: bytes = b"") -> bytes:
    """A row with this header and a right checksum."""
    header = msgspec.msgpack.encode(fields)
    body = len(header).to_bytes(4, "little") + header + tensors
    return MAGIC + zlib.crc32(body).to_bytes(4, "little") + body


sizes = st.sampled_from([0, 1, 2, 3, -1, 2**31, 2**62, 2**63 - 1, 2**63, 2**64 - 1])
dtypes = st.sampled_from(["<f4", "<i8", "|b1", "<f8", "O", "<U9", "", ">f4"])
described = st.tuples(
    st.sampled_from(["logits", "total", "seen", "", "more"]),
    dtypes,
    st.lists(sizes, max_size=4) | st.lists(st.just(1), min_size=30, max_size=100),
)
values = st.recursive(
    st.none() | st.booleans() | sizes | st.floats() | st.text(max_size=9) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=9,
)


@settings(max_examples=200)
@given(
    tensors=st.lists(described, max_size=5) | values,
    rest=st.tuples(sizes, sizes, st.booleans()) | st.tuples(values, values, values),
    more=st.lists(values, max_size=3),
    data=st.binary(max_size=64),
)
def test_any_header_with_a_right_checksum_is_a_stream_or_damage(
    tensors: Any, rest: tuple[Any, Any, Any], more: list[Any], data: bytes
) -> None:
    row = stored("s", "toy", *rest, tensors, *more, tensors=data)
    with contextlib.suppress(DamagedCheckpoint):
        check(decode(row, 1), toy.CONTRACT)


@pytest.mark.parametrize(
    "shape",
    [(2**63,), (2**62, 2**62), (0, 2**63), (2**63, 0), (-1,), (2**31, 2**31), (1,) * 70],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["<f4", "<i8", "|b1"])
def test_a_shape_that_nothing_has_is_damage(shape: tuple[int, ...], dtype: str) -> None:
    kept = ("logits", "<f4", (0, 3))
    row = stored("s", "toy", 1, 0, False, [kept, ("total", dtype, shape)], tensors=b"\0" * 64)
    with pytest.raises(DamagedCheckpoint):
        check(decode(row, 1), toy.CONTRACT)


def test_tensors_that_are_not_in_order_in_memory_are_written_as_they_read() -> None:
    grid = np.arange(24, dtype=np.float32).reshape(4, 6)
    state = {"turned": grid.T, "every_other": grid[::2, ::-1], "alone": np.array(5)}
    checkpoint = Checkpoint("s", "toy", 1, 4, grid[:, :3], state)
    assert same(decode(encode(checkpoint), 0), checkpoint)


def test_its_tensors_are_copied_once_when_it_is_written_and_not_when_it_is_read() -> None:
    state = {f"keys_{layer}": np.ones(2**20, np.float32) for layer in range(4)}
    checkpoint = Checkpoint("s", "toy", 1, 0, np.zeros((0, 6), np.float32), state)
    size = sum(tensor.nbytes for tensor in state.values())
    tracemalloc.start()
    try:
        data = encode(checkpoint)
        assert tracemalloc.get_traced_memory()[1] < 1.1 * size
        tracemalloc.reset_peak()
        decode(data, 0)
        assert tracemalloc.get_traced_memory()[1] < 1.1 * size
    finally:
        tracemalloc.stop()


def test_it_is_little_larger_than_its_tensors() -> None:
    state = {f"keys_{layer}": np.zeros((16, 64), np.float32) for layer in range(4)}
    checkpoint = Checkpoint("f" * 48, "larnn-har", 1, 10**6, np.zeros((0, 6), np.float32), state)
    assert len(encode(checkpoint)) < sum(t.nbytes for t in state.values()) + 200
