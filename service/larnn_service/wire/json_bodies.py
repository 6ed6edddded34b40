"""From a text of JSON to the typed body that it is, the same for every endpoint and message.

The text is UTF-8, with or without a byte order mark. null in the place of a field that may be left
out says the same as leaving it out: clients of other languages send it for every one.
"""

from __future__ import annotations

import json
import re
from functools import cache, partial
from types import UnionType
from typing import Any, TypeVar, get_args

import msgspec

from larnn_service.errors import BadJson, BadMessage, BadValue, ServiceError, quoted
from larnn_service.wire.json_pieces import FINITE, first_not_finite
from larnn_service.wire.large_json import LARGE, decode_large

T = TypeVar("T")
_MARK = b"\xef\xbb\xbf"
_NULL = b"null"
_DEEPEST = 4
"""Objects in each other in which null is looked for: no body has more."""
_FEW = 32
"""Letters that are looked at alone: a text of words has many."""
_SHORT = 2**14
"""Bytes of a text that is looked through for what JSON does not know."""
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<place>.*)`)?$", re.DOTALL)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])


def decode_json(decoder: msgspec.json.Decoder[T], body: bytes | bytearray) -> T:
    """The typed body. Raises BadJson, BadMessage, BadValue, TooLarge."""
    text = body[len(_MARK) :] if body.startswith(_MARK) else body
    try:
        if len(text) > LARGE:
            return decode_large(partial(_decode, decoder), text)
        return _decode(decoder, text)
    except msgspec.ValidationError as error:
        match = _PLACE.match(str(error))
        assert match is not None
        what, place = quoted(match["what"]), quoted(match["place"] or "")
        raise BadMessage(f"{place}: {what}" if place else what) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(text, error) from None


def _decode(decoder: msgspec.json.Decoder[T], text: bytes | bytearray) -> T:
    if _has_null(text):
        kind: Any = decoder.type
        text = _without_nulls(text, _optional_fields(kind), _DEEPEST)
    return decoder.decode(text)


def _has_null(text: bytes | bytearray) -> bool:
    """Whether the word stands in the text: a search for its first letter alone passes over numbers
    three hundred times as fast."""
    place = text.find(b"n")
    for _ in range(_FEW):
        if place < 0 or text.startswith(_NULL, place):
            return place >= 0
        place = text.find(b"n", place + 1)
    return text.find(_NULL, max(place, 0)) >= 0


@cache
def _optional_fields(kind: Any) -> frozenset[str] | None:
    """Those of a struct, or of several that a tag tells apart; None where any name may stand."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    structs = [each for each in kinds if hasattr(each, "__struct_fields__")]
    fields = [field for each in structs for field in msgspec.structs.fields(each)]
    return frozenset(f.encode_name for f in fields if not f.required) if structs else None


def _without_nulls(text: bytes | bytearray, names: frozenset[str] | None, deepest: int) -> bytes:
    """An object without the fields that are null, of these names where some are given."""
    kept = {
        name: _inside(value, deepest - 1)
        for name, value in _FIELDS.decode(text).items()
        if bytes(value) != _NULL or (names is not None and name not in names)
    }
    return msgspec.json.encode(kept)


def _inside(value: msgspec.Raw, deepest: int) -> msgspec.Raw:
    """The same of a field's objects. Arrays of numbers stay as they are."""
    text = bytes(value)
    if _NULL not in text or not deepest:
        return value
    if text.startswith(b"{"):
        return msgspec.Raw(_without_nulls(text, None, deepest))
    if text.startswith(b"[") and b"{" in text:
        items = [_inside(item, deepest) for item in _ITEMS.decode(text)]
        return msgspec.Raw(msgspec.json.encode(items))
    return value


def _malformed(text: bytes | bytearray, error: Exception) -> ServiceError:
    """Why it is no JSON. NaN is none, but clients send it: say where it is, rather than that a byte
    is wrong."""
    if isinstance(error, RecursionError):
        return BadJson("the text is nested too deeply")
    if (encoding := json.detect_encoding(text)) != "utf-8":
        return BadJson(f"the text is {encoding.upper()}; JSON is sent as UTF-8")
    if len(text) <= _SHORT:
        try:
            if (path := first_not_finite(json.loads(text))) is not None:
                return BadValue(f"{_place(path)}: {FINITE}")
        except (ValueError, RecursionError):
            pass
    return BadJson(f"the text is not valid JSON: {error}")


def _place(path: list[str | int]) -> str:
    steps = [f"[{part}]" if isinstance(part, int) else f".{quoted(part)}" for part in path]
    return "".join(steps).removeprefix(".")
