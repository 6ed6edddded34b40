"""A stream's state as an object of its own: taken out, put in, and two streams made of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from larnn_service.contract import Contract, StateTensor
from larnn_service.engine.streams.checkpoint import MAX_POSITION, Checkpoint
from larnn_service.engine.streams.registry import Streams
from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import BadMessage, BadShape, BadValue, Expired, Moved, quoted
from larnn_service.interfaces import Floats, RowState
from larnn_service.outputs import to_columns


@dataclass(frozen=True)
class Snapshot:
    """What a stream takes from one service to another."""

    model: str
    position: int
    outputs: Mapping[str, NDArray[Any]]
    """[kept, …] by name: the answers of the last `kept` steps before `position`; none of them where
    they are gone."""
    state: RowState


async def take_out(streams: Streams, stream_id: str) -> Stream:
    """The stream as it stands, which goes on. Raises Expired after its end, else as `look`."""
    stream = await streams.look(stream_id)
    _living(stream)
    return stream


async def put_in(streams: Streams, stream: Stream, snapshot: Snapshot, max_kept: int) -> None:
    """Let the stream go on from the snapshot; stored when this returns.

    Its connection is told that it has moved: what it knows of the stream no longer holds. Nothing
    in a snapshot is trusted; raises BadMessage, BadShape and BadValue with the tensor's name.
    """
    contract = stream.model.manifest.contract
    check(contract, stream.checkpoint.model, snapshot, max_kept)
    outputs = _columns(contract, snapshot)
    async with stream.lock:
        await streams.wake(stream)
        restored = replace(
            _living(stream),
            position=snapshot.position,
            outputs=outputs,
            state={tensor.name: snapshot.state[tensor.name] for tensor in contract.carried},
        )
        streams.places.check_kept(outputs.nbytes, stream.kept_bytes, stream.owner)
        streams.commit(stream, restored)
        await streams.checkpoints.write(stream)
    stream.interrupt(Moved("the stream's state was replaced; resume it to see where it stands"))


async def fork(streams: Streams, stream_id: str, key: str | None, owner: str = "") -> Stream:
    """A new stream that goes on from where this one stands. Raises as `take_out` and `open`."""
    stream = await streams.look(stream_id)
    return await streams.open(stream.model, key, _living(stream).fork, owner)


def _living(stream: Stream) -> Checkpoint:
    if stream.checkpoint.ended:
        raise Expired("the stream has ended; open a new one")
    return stream.checkpoint


def check(contract: Contract, model: str, snapshot: Snapshot, max_kept: int) -> None:
    """Raises BadMessage, BadShape or BadValue where a stream of this contract cannot be so."""
    if snapshot.model != model:
        raise BadValue(
            f"model: this is the state of {quoted(snapshot.model)}; the stream runs on {model}"
        )
    if not 0 <= snapshot.position <= MAX_POSITION:
        raise BadValue(f"position: {quoted(snapshot.position)} is not within 0 and {MAX_POSITION}")
    _check_outputs(contract, snapshot, max_kept)
    _check_names(contract, snapshot.state)
    for tensor in contract.carried:
        value = snapshot.state[tensor.name]
        _check_kind(tensor.name, value, tensor.shape, tensor.numpy_dtype)
        if not tensor.is_good(value):
            raise BadValue(f"{tensor.name}: a value is not finite, or no {tensor.dtype}")
    for counter in contract.state:
        _check_maximum(counter, snapshot.state[counter.name])


def _check_outputs(contract: Contract, snapshot: Snapshot, max_kept: int) -> None:
    if not snapshot.outputs:
        return
    kept = 0
    for index, output in enumerate(contract.outputs):
        if (value := snapshot.outputs.get(output.name)) is None:
            raise BadMessage(f"{output.name}: missing; send the answers of all outputs, or none")
        if index == 0:
            kept = len(value) if value.ndim else 0
        if kept > min(snapshot.position, max_kept):
            raise BadValue(
                f"{output.name}: of {kept} steps; at most the position, and at most {max_kept}"
            )
        _check_kind(output.name, value, (kept, *output.step_shape), np.dtype(output.dtype))
        if not output.is_good(value):
            raise BadValue(f"{output.name}: a value is not finite")


def _columns(contract: Contract, snapshot: Snapshot) -> Floats:
    if not snapshot.outputs:
        return np.empty((0, contract.columns), np.float32)
    arrays = [snapshot.outputs[output.name] for output in contract.outputs]
    return to_columns(contract.outputs, arrays).copy()  # the file's memory is given back


def _check_names(contract: Contract, state: Mapping[str, NDArray[Any]]) -> None:
    names = {tensor.name for tensor in contract.carried}
    for name in sorted(names ^ state.keys()):
        what = "missing" if name in names else "no state tensor of this model"
        raise BadMessage(f"{quoted(name)}: {what}; GET /models lists them")


def _check_kind(
    name: str, value: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> None:
    if value.dtype != dtype:
        raise BadValue(f"{name}: dtype {value.dtype}; the model's is {dtype}")
    if value.shape != shape:
        raise BadShape(
            f"{name}: shape {quoted([1, *value.shape])}; the model's is {[1, *shape]}, batch first"
        )


def _check_maximum(tensor: StateTensor, value: NDArray[Any]) -> None:
    """What says how far another tensor is filled, say, leads nowhere else."""
    most = tensor.maximum
    if most is not None and value.size and not 0 <= int(value.min()) <= int(value.max()) <= most:
        told = quoted(value.ravel()[:8].tolist() if value.ndim else value.item())
        raise BadValue(f"{tensor.name}: {told} is not within 0 and {most}")
