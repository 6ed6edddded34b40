"""From bytes to float32 arrays, or to an error that names the place."""

from __future__ import annotations

import io
import json
import math
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
import numpy as np
from msgspec import UnsetType

from larnn_service.errors import (
    BadJson,
    BadMessage,
    BadShape,
    BadValue,
    EmptyChunk,
    ServiceError,
    TooLarge,
)
from larnn_service.finite import all_finite
from larnn_service.interfaces import Floats, Model, Steps
from larnn_service.wire.json_numbers import read_numbers
from larnn_service.wire.stream_schemas import StepsBody, Version

T = TypeVar("T")
_SEQUENCES = msgspec.json.Decoder(list[list[list[float]]])
_STEPS = msgspec.json.Decoder(list[list[float]])
_NPY_HEADER = 4096
"""Bytes in which an npy file's header must end."""
_FINITE = "every value is a finite number that fits float32"
_CHARACTERS = 16
"""Of text for each step that may be: how long a token is at most, so that none is refused early."""
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<place>.*)`)?$", re.DOTALL)


def decode_json(decoder: msgspec.json.Decoder[T], body: bytes | str) -> T:
    """The typed body. Raises BadJson, BadMessage, or BadShape and BadValue inside the numbers."""
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(body, error) from None


def invalid(text: str, root: str = "") -> ServiceError:
    """What msgspec says of a value that is not as it should be, as an error with its place.

    `root` is the field of numbers that the text is about; without it, it is about the rest.
    """
    match = _PLACE.match(text)
    what, place = (match["what"], match["place"]) if match else (text, None)
    detail = f"{root}{place or ''}: {what}" if root or place else what
    if not root:
        return BadMessage(detail)
    if "array" in what:
        return BadShape(f"{detail}; numbers are nested [steps][channels]")
    return BadValue(f"{detail}; {_FINITE}")


def _malformed(body: bytes | str, error: Exception) -> ServiceError:
    """JSON has no NaN, but clients send it: say where it is, rather than that a byte is wrong."""
    if isinstance(error, RecursionError):
        return BadJson("the text is nested too deeply")
    try:
        place = _first_not_finite(json.loads(body))
    except (ValueError, RecursionError):
        return BadJson(f"the text is not valid JSON: {error}")
    return BadValue(f"{place}: {_FINITE}")


def _first_not_finite(value: Any) -> str | None:
    if isinstance(value, float):
        return None if math.isfinite(value) else ""
    items: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        items = ((f".{key}", item) for key, item in value.items())
    elif isinstance(value, list):
        items = ((f"[{index}]", item) for index, item in enumerate(value))
    for name, item in items:
        if (rest := _first_not_finite(item)) is not None:
            return (name + rest).removeprefix(".")
    return None


def version_asked(query: Mapping[str, str]) -> int | None:
    """The version in an address. Raises BadMessage."""
    if (text := query.get("version")) is None:
        return None
    try:
        return msgspec.convert(text, Version, strict=False)
    except msgspec.ValidationError:
        raise BadMessage("in the address: version is a whole number, at least 1") from None


def json_sequences(
    raw: msgspec.Raw, model: Model, most: int, check: Callable[[list[int]], None]
) -> list[Steps]:
    """Sequences [steps, channels], from the JSON of numbers [batch][steps][channels].

    `most`: sequences at the most. `check` gets the steps of each sequence, and refuses what is too
    much before any value is looked at. Raises BadShape, BadValue with the place.
    """
    numbers = read_numbers(bytes(raw), most)
    if numbers is not None and numbers.depth == 3 and numbers.width == _channels(model):
        check(numbers.rows)
        whole = numbers.values.reshape(-1, numbers.width)
        sequences = np.split(whole, np.cumsum(numbers.rows[:-1])) if numbers.rows[1:] else [whole]
        if model.manifest.contract.vocabulary is None:
            return list(sequences)  # the numbers were read as finite ones
        return [checked(x, model, f"sequences[{i}]") for i, x in enumerate(sequences)]
    rows = _typed(_SEQUENCES, raw, "sequences")
    check([len(steps) for steps in rows])
    return [_steps_array(steps, model, f"sequences[{i}]") for i, steps in enumerate(rows)]


def _json_steps(raw: msgspec.Raw, model: Model, limit: int) -> Steps:
    """A chunk's steps [steps, channels], from the JSON of numbers [steps][channels]."""
    numbers = read_numbers(bytes(raw), 1)
    if numbers is not None and numbers.depth == 2 and numbers.width == _channels(model):
        check_chunk_size(numbers.rows[0], limit)
        steps = numbers.values.reshape(-1, numbers.width)
        return (
            steps if model.manifest.contract.vocabulary is None else checked(steps, model, "steps")
        )
    rows = _typed(_STEPS, raw, "steps")
    check_chunk_size(len(rows), limit)
    return _steps_array(rows, model, "steps")


def _typed(decoder: msgspec.json.Decoder[T], raw: msgspec.Raw, root: str) -> T:
    """Numbers as lists, for what the number reader refuses: to say what is wrong, or without it."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise invalid(str(error), root) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadJson(f"{root}: {error}") from None


def _channels(model: Model) -> int:
    return len(model.manifest.contract.channels)


def _steps_array(rows: list[list[float]], model: Model, place: str) -> Steps:
    """[steps, channels] from nested numbers. Raises BadShape, BadValue with the place."""
    channels = len(model.manifest.contract.channels)
    try:
        with np.errstate(over="ignore"):
            array = np.array(rows, dtype=np.float32)
    except ValueError:  # rows of different lengths
        array = np.empty((0, 0), dtype=np.float32)
    if array.ndim != 2 or array.shape[1] != channels:
        index, row = next((i, row) for i, row in enumerate(rows) if len(row) != channels)
        raise BadShape(
            f"{place}[{index}] has {len(row)} channels; {model.manifest.name} takes {channels}"
        )
    return checked(array, model, place)


def checked(array: Floats, model: Model, place: str) -> Steps:
    """The array itself, or the tokens that it counts. Raises BadValue with the first bad index."""
    vocabulary = model.manifest.contract.vocabulary
    if vocabulary is None:
        if all_finite(array):
            return array
        good, rule = np.isfinite(array), _FINITE
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


def npy_array(body: bytes, model: Model) -> Steps:
    """[batch, steps, channels] from an npy file, measured values without a copy."""
    channels = len(model.manifest.contract.channels)
    # Magic, version and length of the header, the header: padded to a multiple of 64 bytes.
    end = body.find(b"\n", 0, _NPY_HEADER) + 1
    shape, fortran_order, dtype = _npy_header(body[:end])
    if dtype != np.dtype("<f4") or fortran_order:
        raise BadValue(f"the array is {dtype} {'F' if fortran_order else 'C'}-ordered; send <f4 C")
    if len(shape) != 3 or shape[2] != channels or min(shape) < 0:
        raise BadShape(
            f"the array is {list(shape)}; {model.manifest.name} takes [batch, steps, {channels}]"
        )
    if len(body) - end != 4 * shape[0] * shape[1] * shape[2]:
        raise BadShape(f"the header says {list(shape)}, {len(body) - end} bytes follow")
    array = np.frombuffer(body, dtype="<f4", offset=end).reshape(shape)
    return checked(array, model, "sequences")


@lru_cache(maxsize=256)
def _npy_header(head: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, order and dtype. Clients send few different ones; to read one is slow."""
    stream = io.BytesIO(head)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }[version]
        return read_header(stream)
    except Exception as error:  # on a damaged header numpy's parser fails in many ways
        raise BadMessage(f"the body is not an npy file: {error}") from None


def binary_chunk(frame: bytes, model: Model) -> tuple[int, Steps]:
    """Offset and steps from a frame of larnn.f32.v1: uint64, then float32, little-endian."""
    channels = len(model.manifest.contract.channels)
    if len(frame) < 8 or (len(frame) - 8) % (4 * channels):
        raise BadMessage(
            f"a frame of {len(frame)} bytes; send a uint64 offset, then steps of "
            f"{channels} float32 values each, little-endian"
        )
    [offset] = struct.unpack_from("<Q", frame)
    steps = np.frombuffer(frame, dtype="<f4", offset=8).reshape(-1, channels)
    return offset, checked(steps, model, "steps")


def check_chunk_size(steps: int, limit: int) -> None:
    """Raises EmptyChunk, TooLarge."""
    if not steps:
        raise EmptyChunk("a chunk holds at least one step")
    if steps > limit:
        raise TooLarge(f"the chunk has {steps} steps; at most {limit}: send several")
