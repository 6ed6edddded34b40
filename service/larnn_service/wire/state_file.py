"""A stream's state as a safetensors file: batch first, newest last, as the manifest says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from larnn_service.contract import Contract
from larnn_service.errors import BadMessage, BadShape, quoted

MEDIA_TYPE = "application/octet-stream"
_HEADER = 64 * 1024
_Number = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,15})$")]


class StateMetadata(msgspec.Struct):
    """In the file's `__metadata__`; all are text, as the format has it."""

    model: str
    version: _Number
    position: _Number


class _Header(msgspec.Struct):
    metadata: StateMetadata = msgspec.field(name="__metadata__")


_HEADERS = msgspec.json.Decoder(_Header)
_ENTRIES = msgspec.json.Decoder(dict[str, msgspec.Raw])


def largest(contract: Contract, max_kept: int) -> int:
    """Bytes of the largest file that a stream of this contract can have."""
    return _HEADER + contract.state_bytes + 4 * max_kept * contract.columns


def write(
    model: str,
    version: int,
    position: int,
    state: Mapping[str, NDArray[Any]],
    outputs: Mapping[str, NDArray[Any]],
) -> bytes:
    """A file with every state tensor [1, …], and the unacknowledged outputs [1, kept, …]."""
    tensors = {**state, **outputs}
    metadata = StateMetadata(model, str(version), str(position))
    return save(
        {name: np.ascontiguousarray(tensor[None]) for name, tensor in tensors.items()},
        msgspec.structs.asdict(metadata),
    )


def _header(body: bytes, contract: Contract) -> bytes:
    """The file's header, looked at before any tensor is made: each costs some microseconds.

    Raises BadMessage where it is longer than one of this contract, or names what that has not.
    """
    size = int.from_bytes(body[:8], "little")
    if size > _HEADER:
        raise BadMessage(f"the header of the file has {size} bytes; at most {_HEADER}")
    header = body[8 : 8 + size]
    known = {"__metadata__", *(tensor.name for tensor in contract.carried)}
    known.update(output.name for output in contract.outputs)
    if unknown := _ENTRIES.decode(header).keys() - known:
        name = quoted(min(unknown))
        raise BadMessage(f"{name}: no state tensor of this model; GET /models lists them")
    return header


class StateFile(NamedTuple):
    """What a file says; none of it is checked against the contract yet."""

    model: str
    position: int
    outputs: dict[str, NDArray[Any]]
    """[kept, …] by name"""
    state: dict[str, NDArray[Any]]
    """Without the batch axis."""


def read(body: bytes, contract: Contract) -> StateFile:
    """The file as it claims to be, its tensors without the batch axis. Raises BadMessage, BadShape.

    Outputs may be missing: then no answer before the position can be had again.
    """
    try:
        header = _header(body, contract)
        metadata = _HEADERS.decode(header).metadata
        tensors = load(body)
    except (
        SafetensorError,
        msgspec.MsgspecError,
        KeyError,
        TypeError,
        ValueError,
        OverflowError,
        RecursionError,
    ) as error:
        raise BadMessage(
            f"the body is no state as GET gives it, a safetensors file: {quoted(error)}"
        ) from None
    for name, tensor in tensors.items():
        if tensor.ndim == 0 or len(tensor) != 1:
            shape = quoted(list(tensor.shape))
            raise BadShape(f"{quoted(name)}: shape {shape}; the first axis is the batch, of 1")
    rows = {name: np.array(tensor[0]) for name, tensor in tensors.items()}
    outputs = {o.name: rows.pop(o.name) for o in contract.outputs if o.name in rows}
    return StateFile(metadata.model, int(metadata.position), outputs, rows)
