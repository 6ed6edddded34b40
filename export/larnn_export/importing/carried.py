"""What goes along with a row's steps: state, which each run moves, and what is given once."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.importing.arrays import exactly, read_array
from larnn_export.importing.axes import Axes
from larnn_export.importing.options import REQUIRED, Options
from larnn_export.importing.original import Tensor
from larnn_export.importing.problems import Problems
from larnn_export.reasons import field_errors
from larnn_service.contract import StateTensor
from larnn_service.tensors import ContextTensor, File


@dataclass(frozen=True)
class Held:
    """A tensor that is given once: how the contract and the file call it."""

    tensor: ContextTensor
    before: str
    """Its name in the file."""
    axes: Axes
    """In the file: b where rows stand."""
    type: int
    """ONNX's number for its dtype in the file."""
    start: NDArray[Any] | None
    """[*shape] of the contract where nothing is given; None where it must be."""


@dataclass(frozen=True)
class Kept:
    """A state tensor likewise."""

    tensor: StateTensor
    before: str
    after: str
    """The name of its next value in the file."""
    axes: Axes
    type: int
    start: NDArray[Any]
    """[*shape] of the contract, before the first step."""


def keep(
    tensor: Tensor, after: str, name: str, axes: Axes, options: Options, problems: Problems
) -> Kept | None:
    """A state of the file as the contract has it; None where it does not fit, which is told."""
    said = options.initial.get(tensor.name, 0.0)
    try:
        start = _start(said, _row(axes), served_dtype(tensor.dtype))
        state = StateTensor(
            name=name,
            shape=_row(axes),
            dtype=served_dtype(tensor.dtype),
            initial=_number_or_file(said, name, start),
            description=f"{tensor.name} of the file, next {after}",
        )
    except ValueError as error:
        problems.add(f"state {tensor}", field_errors(error))
        return None
    return Kept(state, tensor.name, after, axes, tensor.type, start)


def hold(
    tensor: Tensor, name: str, axes: Axes, options: Options, problems: Problems
) -> Held | None:
    """What is given once, likewise."""
    said = options.once[tensor.name]
    try:
        start = None
        if said != REQUIRED:
            start = _start(said, _row(axes), served_dtype(tensor.dtype))
        context = ContextTensor(
            name=name,
            shape=_row(axes),
            dtype=served_dtype(tensor.dtype),
            default=None if start is None else _number_or_file(said, name, start),
            description=f"{tensor.name} of the file",
        )
    except ValueError as error:
        problems.add(f"input {tensor}", field_errors(error))
        return None
    return Held(context, tensor.name, axes, tensor.type, start)


def served_dtype(dtype: str) -> Any:
    """The dtype of the contract: the file's own, but for a bfloat16, which numpy does not have."""
    return "float32" if dtype == "bfloat16" else dtype


def files(carried: Mapping[str, tuple[Any, NDArray[Any] | None]]) -> dict[str, bytes]:
    """What lies beside the manifest, by its name: of each tensor's name what it begins with."""
    return {
        said.file: _npy(start)
        for said, start in carried.values()
        if isinstance(said, File) and start is not None
    }


def _row(axes: Axes) -> tuple[int, ...]:
    """The shape of one row: without the axis of rows, or else the first that has one element."""
    shape = [axis for axis in axes if isinstance(axis, int)]
    if "b" not in axes and 1 in shape:
        shape.remove(1)
    return tuple(shape)


def _start(said: float | str, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    if not isinstance(said, str):
        return np.full(shape, exactly(said, dtype))
    array = read_array(Path(said))
    if array.size != np.prod(shape, dtype=int):
        raise ValueError(f"{said} is {[*array.shape]}, a row of it is {[*shape]}: give that")
    return exactly(array.reshape(shape), dtype)


def _number_or_file(said: float | str, name: str, start: NDArray[Any]) -> float | File:
    if not isinstance(said, str):
        return said
    return File(file=f"{name}.npy", sha256=hashlib.sha256(_npy(start)).hexdigest())


def _npy(array: NDArray[Any]) -> bytes:
    written = io.BytesIO()
    np.save(written, array)
    return written.getvalue()
