"""Context on the wire: what a network is told once, when a stream opens or with a request."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from larnn_service.errors import BadMessage, BadShape, BadValue, quoted
from larnn_service.interfaces import Model, RowState
from larnn_service.tensors import ContextTensor
from larnn_service.wire.arrays import nested_decoder
from larnn_service.wire.http_schemas import ContextBody
from larnn_service.wire.json_bodies import decode_json
from larnn_service.wire.json_pieces import NUMBER

_QUERY = msgspec.json.Decoder(ContextBody)


def read_query(query: Mapping[str, str]) -> ContextBody:
    """The context of an address: JSON, as a body has it. Raises BadJson, BadMessage."""
    text = query.get("context")
    return {} if text is None else decode_json(_QUERY, text.encode())


def start_of(model: Model, given: ContextBody) -> RowState | None:
    """The state before the first step with this context, None where the model takes none.

    Raises BadMessage, BadShape, BadValue.
    """
    return starting(model, given, _array)


def starting(
    model: Model, given: Mapping[str, Any], read: Callable[[ContextTensor, Any], NDArray[Any]]
) -> RowState | None:
    """As `start_of`; `read` makes an array [*shape] of what was given for a tensor."""
    name, context = model.manifest.name, model.manifest.contract.context
    if not context and not given:
        return None
    if unknown := given.keys() - {tensor.name for tensor in context}:
        takes = f"it takes {', '.join(t.name for t in context)}" if context else "it takes none"
        raise BadMessage(f"context {quoted(min(unknown))}: {name} has no such context; {takes}")
    state = dict(model.initial)
    for tensor in context:
        if tensor.name in given:
            state[tensor.name] = _checked(tensor, read(tensor, given[tensor.name]))
        elif tensor.default is None:
            raise BadMessage(
                f"context {tensor.name}: missing; {name} needs {tensor.dtype} {list(tensor.shape)}"
            )
    return state


def _array(tensor: ContextTensor, text: msgspec.Raw) -> NDArray[Any]:
    """Of JSON numbers nested as the tensor's shape is."""
    place = f"context {tensor.name}"
    if len(memoryview(text)) > NUMBER * (math.prod(tensor.shape) + 1):  # refused unread
        raise BadShape(f"{place}: more than the numbers of {list(tensor.shape)}")
    decoder = nested_decoder(tensor.numpy_dtype, len(tensor.shape))
    try:
        with np.errstate(over="ignore"):
            return np.asarray(decoder.decode(text), tensor.numpy_dtype)
    except msgspec.ValidationError as error:
        wrong = BadShape if "array" in str(error) else BadValue
        raise wrong(f"{place}: {quoted(error)}; {_wanted(tensor)}") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadMessage(f"{place}: {quoted(error)}") from None
    except OverflowError:
        raise BadValue(f"{place}: a number does not fit; {_wanted(tensor)}") from None
    except ValueError:
        raise BadShape(f"{place}: rows of different lengths; {_wanted(tensor)}") from None


def _wanted(tensor: ContextTensor) -> str:
    return f"send {tensor.dtype} {list(tensor.shape)}"


def _checked(tensor: ContextTensor, array: NDArray[Any]) -> NDArray[Any]:
    if array.shape != tensor.shape:
        shape = quoted(list(array.shape))
        raise BadShape(f"context {tensor.name}: shape {shape}; {_wanted(tensor)}")
    if not tensor.is_good(array):
        raise BadValue(f"context {tensor.name}: every value is a finite {tensor.dtype}")
    return array
