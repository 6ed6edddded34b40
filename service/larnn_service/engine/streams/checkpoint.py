"""All that a stream is, at one position, and its form as bytes."""

from __future__ import annotations

import hashlib
import math
import zlib
from collections.abc import Callable, Collection
from typing import Any, get_args

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from larnn_service.contract import Contract
from larnn_service.conversion.conversion import (
    AS_THE_MODEL,
    ConversionError,
    Measured,
    conversion,
)
from larnn_service.errors import Conflict
from larnn_service.interfaces import Floats, Model, RowState
from larnn_service.tensors import ContextDtype

MAGIC = b"LARNN\x01"
MAX_POSITION = 2**53
_KEPT = "logits"
_DTYPES = {np.dtype(name).str for name in get_args(ContextDtype)}


class DamagedCheckpoint(ValueError):
    """What a store has of a stream is no stream, or not a whole one; the text says what is wrong,
    for the log, and repeats none of it."""


class Checkpoint(msgspec.Struct, frozen=True):
    """State, position and unacknowledged outputs of a stream, written and read as one."""

    stream: str
    model: str
    version: int
    position: int
    """Steps consumed."""
    outputs: Floats
    """[kept, columns]: the answers of the last `kept` steps before `position`."""
    state: RowState
    ended: bool = False
    fence: int = 0
    """Which taking over of the stream wrote this: the store knows the newest."""
    origin: str = ""
    """A mark of the stream that this one is a fork of; empty where it began at position 0."""
    measured: Measured = AS_THE_MODEL
    """How its client sends steps."""

    def moved(self, steps: int, outputs: Floats, state: RowState) -> Checkpoint:
        """After so many more steps."""
        position = self.position + steps
        return Checkpoint(
            self.stream,
            self.model,
            self.version,
            position,
            outputs,
            state,
            self.ended,
            self.fence,
            self.origin,
            self.measured,
        )

    def fork(self, name: str) -> Checkpoint:
        """A stream of this name that stands where this one does."""
        return replace(self, stream=name, origin=mark(self.stream))

    def end(self, outputs: Floats) -> Checkpoint:
        """Where nothing follows: the state is no more."""
        return replace(self, outputs=outputs, state={}, ended=True)


Begin = Callable[[str], Checkpoint]
"""How a stream of this id begins."""


def mark(stream: str) -> str:
    """Tells one stream from another without its id."""
    return hashlib.blake2s(stream.encode(), digest_size=8).hexdigest()


def beginning(
    model: Model, name: str, state: RowState | None = None, measured: Measured = AS_THE_MODEL
) -> Checkpoint:
    """A stream before its first step; `state` where its client gave context."""
    manifest = model.manifest
    return Checkpoint(
        stream=name,
        model=manifest.name,
        version=manifest.version,
        position=0,
        outputs=np.empty((0, manifest.contract.columns), dtype=np.float32),
        state=model.initial if state is None else state,
        measured=measured,
    )


def check_same_opening(mine: Checkpoint, other: Checkpoint, context: Collection[str]) -> None:
    """Raises Conflict where a key that has opened a stream would now open another one.

    `context`: names of what their models are told. Of a stream that has ended nobody knows that.
    The version is for those who ask for one to compare: the stream's may be a later one by now.
    """
    if mine.model != other.model:
        raise Conflict(f"this key has opened a stream on {mine.model}")
    if (mine.origin, mine.measured) != (other.origin, other.measured):
        raise Conflict("this key has opened another stream; take a new key for each operation")
    if not context or mine.ended:
        return
    same = mine.state.keys() == other.state.keys() and all(
        np.array_equal(mine.state[name], other.state[name]) for name in context
    )
    if not same:
        raise Conflict("this key has opened a stream with another context")


class _Header(msgspec.Struct, array_like=True):
    stream: str
    model: str
    version: int
    position: int
    ended: bool
    tensors: list[tuple[str, str, tuple[int, ...]]]
    origin: str = ""
    measured: tuple[str, str] = AS_THE_MODEL


def encode(checkpoint: Checkpoint) -> bytes:
    """Magic, CRC-32 of what follows, the header's size, the header, the tensors one by one.

    The fence is not among it: a store raises it without touching the rest.
    """
    tensors: dict[str, NDArray[Any]] = {_KEPT: checkpoint.outputs, **checkpoint.state}
    header = msgspec.msgpack.encode(
        _Header(
            checkpoint.stream,
            checkpoint.model,
            checkpoint.version,
            checkpoint.position,
            checkpoint.ended,
            [(name, tensor.dtype.str, tensor.shape) for name, tensor in tensors.items()],
            checkpoint.origin,
            checkpoint.measured,
        )
    )
    arrays = map(np.ascontiguousarray, tensors.values())
    body: list[Any] = [len(header).to_bytes(4, "little"), header, *arrays]
    checksum = 0
    for part in body:
        checksum = zlib.crc32(part, checksum)
    return b"".join([MAGIC, checksum.to_bytes(4, "little"), *body])


def decode(data: bytes, fence: int) -> Checkpoint:
    """What `encode` wrote, under this fence. Raises DamagedCheckpoint."""
    start = len(MAGIC) + 4
    if data[: len(MAGIC)] != MAGIC:
        raise DamagedCheckpoint("these bytes are no checkpoint of this version of the service")
    if zlib.crc32(memoryview(data)[start:]).to_bytes(4, "little") != data[len(MAGIC) : start]:
        raise DamagedCheckpoint("the checkpoint's checksum is wrong")
    place = start + 4
    size = int.from_bytes(data[start:place], "little")
    try:
        header = msgspec.msgpack.decode(data[place : place + size], type=_Header)
        tensors = _tensors(header, data, place + size)
        outputs = tensors.pop(_KEPT)
    except (msgspec.MsgspecError, ValueError, KeyError, OverflowError) as error:
        raise DamagedCheckpoint("the checkpoint's header does not tell what follows") from error
    return Checkpoint(
        stream=header.stream,
        model=header.model,
        version=header.version,
        position=header.position,
        outputs=outputs,
        state=tensors,
        ended=header.ended,
        fence=fence,
        origin=header.origin,
        measured=Measured(*header.measured),
    )


def _tensors(header: _Header, data: bytes, place: int) -> dict[str, NDArray[Any]]:
    """Those that follow the header. Raises ValueError where they do not."""
    tensors = {}
    for name, dtype, shape in header.tensors:
        if dtype not in _DTYPES or min(shape, default=0) < 0:
            raise ValueError(name)
        count = math.prod(shape)
        tensors[name] = np.frombuffer(data, dtype, count, place).reshape(shape)
        place += tensors[name].nbytes
    return tensors


def check(checkpoint: Checkpoint, contract: Contract) -> None:
    """Raises DamagedCheckpoint where no stream of this contract can stand so."""
    kept, state = checkpoint.outputs, checkpoint.state
    if kept.dtype != np.float32 or kept.ndim != 2 or kept.shape[1] != contract.columns:
        raise DamagedCheckpoint("its answers are not of the model's classes")
    if not len(kept) <= checkpoint.position <= MAX_POSITION:
        raise DamagedCheckpoint("its position is none that a stream can have")
    wanted = (
        {} if checkpoint.ended else {t.name: (t.numpy_dtype, t.shape) for t in contract.carried}
    )
    if {name: (t.dtype, t.shape) for name, t in state.items()} != wanted:
        raise DamagedCheckpoint("its state is not of the model's tensors")
    try:
        conversion(contract.input, checkpoint.model, *checkpoint.measured)
    except ConversionError as error:
        raise DamagedCheckpoint("its units and axes are none of the model's") from error
