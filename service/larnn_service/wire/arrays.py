"""From bytes to float32 arrays, or to an error that names the place."""

from __future__ import annotations

import io
import json
import math
import re
import struct
from collections.abc import Iterable, Mapping
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
from larnn_service.interfaces import Floats, Model, Steps
from larnn_service.wire.stream_schemas import StepsBody, Version

T = TypeVar("T")
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
        raise _invalid(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(body, error) from None


def _invalid(text: str) -> ServiceError:
    match = _PLACE.match(text)
    what, place = (match["what"], match["place"]) if match else (text, None)
    detail = f"{place}: {what}" if place else what
    if not (place or "").startswith(("sequences", "steps")):
        return BadMessage(detail)
    if "array" in what:
        return BadShape(f"{detail}; numbers are nested [steps][channels]")
    return BadValue(f"{detail}; {_FINITE}")


def _malformed(body: bytes | str, error: Exception) -> ServiceError:
    """JSON has no NaN, but clients send it: say where it is, rather than that a byte is wrong."""
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


def steps_array(rows: list[list[float]], model: Model, place: str) -> Steps:
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
    good, rule = np.isfinite(array), _FINITE
    if (vocabulary := model.manifest.contract.vocabulary) is not None:
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
    check_chunk_size(len(body.steps), limit)
    return steps_array(body.steps, model, "steps")


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
