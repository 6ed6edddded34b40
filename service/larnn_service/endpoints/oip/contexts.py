"""Context as tensors of a request, each with a row for each sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_service.endpoints.oip.tensors import DATATYPES, Tensor
from larnn_service.interfaces import Model, RowState
from larnn_service.tensors import ContextTensor
from larnn_service.wire.context import starting


def read_starts(inputs: list[Tensor], model: Model, rows: int) -> list[RowState] | None:
    """The state before the first step of each row, None where the model takes no context.

    Raises BadMessage, BadShape, BadValue.
    """
    context = model.manifest.contract.context
    if not context:
        return None
    by_name = {tensor.name: tensor for tensor in inputs}
    given = {
        tensor.name: _rows(by_name[tensor.name], tensor, rows)
        for tensor in context
        if tensor.name in by_name
    }
    starts = []
    for row in range(rows):
        mine = {name: array[row : row + 1] for name, array in given.items()}
        start = starting(model, mine, _row)
        assert start is not None  # the model takes context
        starts.append(start)
    return starts


def _row(tensor: ContextTensor, row: NDArray[Any]) -> NDArray[Any]:
    """A row's own memory: the request's is given back while its stream lives on."""
    return np.array(row).reshape(tensor.shape)


def _rows(given: Tensor, tensor: ContextTensor, rows: int) -> NDArray[Any]:
    """[rows, *shape], or [rows, 1] of a number, as the model's configuration has it."""
    axes = tensor.shape
    if not axes and len(given.shape) == 2:
        axes = (1,)
    return given.array(DATATYPES[tensor.dtype], rows, *axes)
