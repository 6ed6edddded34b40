"""From bytes to arrays of steps, or to an error that names the place."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import msgspec
import numpy as np
from msgspec import UnsetType
from numpy.typing import NDArray

from larnn_service.contract import MAX_VERSION
from larnn_service.errors import (
    BadMessage,
    BadShape,
    BadValue,
    EmptyChunk,
    TooLarge,
    quoted,
)
from larnn_service.finite import all_finite
from larnn_service.interfaces import Floats, Model, Steps
from larnn_service.wire.json_numbers import read_numbers
from larnn_service.wire.json_pieces import FINITE, SequenceReader
from larnn_service.wire.number_texts import whole_number
from larnn_service.wire.stream_schemas import StepsBody

_FLOAT32, _INT16 = np.dtype("<f4"), np.dtype("<i2")
_LARGEST_AXIS = 2**31
_NPY_HEADER = 256
"""Bytes in which an npy file's header must end: numpy.save writes 128 for all that we take, and
what is none takes long to find out."""
_OFFSET, _OFFSET_AND_ACKED = struct.Struct("<Q"), struct.Struct("<2Q")
_CHARACTERS = 16
"""Of text for each step that may be: how long a token is at most, so that none is refused early."""
_NUMBERS: dict[str, type] = {"b": bool, "i": int, "u": int, "f": float}
"""What numpy's kinds of types are in JSON."""


def nested_decoder(dtype: np.dtype[Any], axes: int) -> msgspec.json.Decoder[Any]:
    """Of JSON numbers of this dtype's kind, nested so deeply."""
    return _nested_decoder(_NUMBERS[dtype.kind], axes)


@lru_cache(maxsize=256)
def _nested_decoder(number: type, axes: int) -> msgspec.json.Decoder[Any]:
    nested: Any = number
    for _ in range(axes):
        nested = list[nested]
    return msgspec.json.Decoder(nested)


def version_asked(query: Mapping[str, str]) -> int | None:
    """The version in an address. Raises BadMessage."""
    if (text := query.get("version")) is None:
        return None
    if not 1 <= (found := whole_number(text) or 0) <= MAX_VERSION:
        raise BadMessage("in the address: version is a whole number, at least 1")
    return found


def json_sequences(
    raw: msgspec.Raw, model: Model, most: int, most_steps: int, check: Callable[[list[int]], None]
) -> list[Steps]:
    """Sequences [steps, channels], from the JSON of numbers [batch][steps][channels].

    `most`: sequences at the most, `most_steps`: steps of all of them. `check` gets the steps of
    each sequence, and refuses what is too much. Raises BadJson, BadShape, BadValue with the place.
    """
    numbers = read_numbers(memoryview(raw), most, most_steps * _width(model))
    if numbers is not None and numbers.depth == 3 and numbers.width == _width(model):
        check(numbers.rows)
        whole = numbers.values.reshape(-1, numbers.width)
        sequences = np.split(whole, np.cumsum(numbers.rows[:-1])) if numbers.rows[1:] else [whole]
    else:
        reader = SequenceReader("sequences", _width(model), model.manifest.name, nested=True)
        sequences = reader.read(memoryview(raw), check, most, most_steps)
    if model.manifest.contract.vocabulary is None:
        return list(sequences)  # the numbers were read as finite ones
    return [checked(x, model, f"sequences[{i}]") for i, x in enumerate(sequences)]


def _json_steps(raw: msgspec.Raw, model: Model, limit: int) -> Steps:
    """A chunk's steps [steps, channels], from the JSON of numbers [steps][channels]."""
    text, contract = memoryview(raw), model.manifest.contract
    width = contract.input.width
    numbers = read_numbers(text, 1, limit * width)
    if numbers is not None and numbers.depth == 2 and numbers.width == width:
        check_chunk_size(numbers.rows[0], limit)
        steps = numbers.values.reshape(-1, width)
    else:
        reader = SequenceReader("steps", width, model.manifest.name, nested=False)
        [steps] = reader.read(text, lambda steps: check_chunk_size(sum(steps), limit), 1, limit)
    return steps if contract.vocabulary is None else checked(steps, model, "steps")


def _width(model: Model) -> int:
    return model.manifest.contract.input.width


def checked(array: Floats, model: Model, place: str) -> Steps:
    """The array itself, or the tokens that it counts. Raises BadValue with the first bad index."""
    vocabulary = model.manifest.contract.vocabulary
    if vocabulary is None:
        if all_finite(array):
            return array
        good, rule = np.isfinite(array), FINITE
    else:
        good = (array >= 0) & (array < vocabulary.size) & (array == np.trunc(array))
        rule = f"{model.manifest.name} takes tokens, whole numbers from 0 to {vocabulary.size - 1}"
    if np.count_nonzero(good) < good.size:  # half the time of `all`
        index = "".join(f"[{i}]" for i in np.argwhere(~good)[0])
        raise BadValue(f"{place}{index}: {rule}")
    return array if vocabulary is None else array.astype(np.int64)


def text_tokens(text: str, model: Model, limit: int, place: str) -> Steps:
    """[tokens, 1] of a text. Raises BadMessage where the model reads none, TooLarge."""
    if model.tokenizer is None:
        raise BadMessage(f"{place}: {model.manifest.name} takes numbers; send them as steps")
    check_characters(len(text), limit, f"{place} has")
    return model.tokenizer.encode(text)


def check_characters(count: int, steps: int, who: str) -> None:
    """Raises TooLarge where a text has more than so many steps can take: before it is read."""
    if count > _CHARACTERS * steps:
        raise TooLarge(f"{who} {count} characters; at most {_CHARACTERS * steps}")


def chunk_steps(body: StepsBody, model: Model, limit: int) -> Steps:
    """A chunk's steps, or the tokens of its text."""
    if isinstance(body.text, str) and isinstance(body.steps, UnsetType):
        steps = text_tokens(body.text, model, limit, "text")
        check_chunk_size(len(steps), limit)
        return steps
    if isinstance(body.text, str) or isinstance(body.steps, UnsetType):
        raise BadMessage("a chunk has either steps or text")
    return _json_steps(body.steps, model, limit)


def npy_sequences(
    body: bytes | bytearray, model: Model, check: Callable[[list[int]], None]
) -> Steps:
    """[batch, steps, width] from an npy file, measured values without a copy.

    `check` gets the steps of each sequence, and refuses what is too much.
    """

    def check_shape(sequences: int, steps: int) -> None:
        check([steps] * sequences)

    return _npy_array(body, model, ("batch", "steps"), "sequences", check_shape)


def npy_steps(body: bytes | bytearray, model: Model, limit: int) -> Steps:
    """A chunk's steps [steps, width] likewise."""
    return _npy_array(
        body, model, ("steps",), "steps", lambda steps: check_chunk_size(steps, limit)
    )


def _npy_array(
    body: bytes | bytearray,
    model: Model,
    axes: tuple[str, ...],
    place: str,
    check: Callable[..., None],
) -> Steps:
    """The array, whose sizes but the last `check` gets before any number is looked at."""
    width = _width(model)
    # Magic, version and length of the header, the header: padded to a multiple of 64 bytes.
    end = body.find(b"\n", 0, _NPY_HEADER) + 1
    shape, size, dtype = _npy_header(bytes(body[:end]))
    if size is None or len(shape) != len(axes) + 1 or shape[-1] != width:
        takes = ", ".join([*axes, str(width)])
        raise BadShape(f"the array is {quoted(shape)}; {model.manifest.name} takes [{takes}]")
    if len(body) - end != dtype.itemsize * size or (not size and shape[0] > 1):
        raise BadShape(f"the header says {list(shape)}, {len(body) - end} bytes follow")
    check(*shape[:-1])
    array = np.frombuffer(body, dtype=dtype, offset=end).reshape(shape)
    return _measured(array, model, place)


def _measured(array: NDArray[Any], model: Model, place: str) -> Steps:
    """Steps as the model takes them, of float32, or of the int16 that its manifest scales.

    Raises BadMessage, BadValue.
    """
    if array.dtype != _INT16:
        return checked(array, model, place)
    scale = model.manifest.contract.input.int16_scale
    if scale is None:
        raise BadMessage(
            f"{place}: {model.manifest.name} takes no int16, its input has no int16_scale; send "
            "float32"
        )
    return array * np.float32(scale)


@lru_cache(maxsize=256)
def _npy_header(head: bytes) -> tuple[tuple[int, ...], int | None, np.dtype[Any]]:
    """Shape, how many numbers that is where the shape can be, and dtype. Clients send few different
    ones; to read one is slow. Raises BadMessage, BadValue."""
    shape, fortran_order, dtype = _parsed_header(io.BytesIO(head))
    if dtype not in (_FLOAT32, _INT16) or fortran_order:
        order = "F" if fortran_order else "C"
        raise BadValue(f"the array is {quoted(str(dtype))} {order}-ordered; send <f4 C")
    return shape, math.prod(shape) if all(map(_is_size, shape)) else None, dtype


def _parsed_header(stream: io.BytesIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        return read_header(stream)
    except Exception:  # on a damaged header numpy's parser fails in many ways, and words
        raise BadMessage(
            "the body is not an npy file: its header is not as numpy.save writes it"
        ) from None


def _is_size(size: object) -> bool:
    """A header may say True, or any number of digits."""
    return type(size) is int and 0 <= size < _LARGEST_AXIS


def binary_chunk(
    frame: bytes, model: Model, samples: np.dtype[Any], acks: bool, limit: int
) -> tuple[int, int | None, Steps]:
    """Offset, acked and at most `limit` steps from a binary frame: a uint64, another one where it
    `acks`, then these samples, little-endian."""
    width = _width(model)
    head = _OFFSET_AND_ACKED if acks else _OFFSET
    count, rest = divmod(len(frame) - head.size, samples.itemsize * width)
    if count < 0 or rest:
        what = "a uint64 offset and a uint64 acked" if acks else "a uint64 offset"
        raise BadMessage(
            f"a frame of {len(frame)} bytes; send {what}, then steps of "
            f"{width} {samples.name} values each, little-endian"
        )
    offset, *acked = head.unpack_from(frame)
    check_chunk_size(count, limit)
    steps = np.frombuffer(frame, dtype=samples, offset=head.size).reshape(count, width)
    return offset, acked[0] if acked else None, _measured(steps, model, "steps")


def check_chunk_size(steps: int, limit: int) -> None:
    """Raises EmptyChunk, TooLarge."""
    if not steps:
        raise EmptyChunk("a chunk holds at least one step")
    if steps > limit:
        raise TooLarge(f"the chunk has {steps} steps; at most {limit}: send several")
