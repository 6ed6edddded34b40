"""From a text of JSON to the typed body that it is, the same for every endpoint and message.

The text is UTF-8, with or without a byte order mark. null in the place of a field that may be left
out says the same as leaving it out: clients of other languages send it for every one.
"""

from __future__ import annotations

import json
import re
from functools import cache, partial
from itertools import islice
from types import UnionType
from typing import Any, TypeVar, get_args

import msgspec

from larnn_service.errors import BadJson, BadMessage, BadValue, ServiceError, quoted
from larnn_service.wire.json_pieces import FINITE, first_not_finite
from larnn_service.wire.large_json import LARGE, MOST_BESIDE, decode_large

T = TypeVar("T")
_MARK = b"\xef\xbb\xbf"
_NULL = b"null"
_DEEPEST = 4
"""Objects and arrays in each other in which null is looked for: no body has more."""
_MOST = 1_024
"""Fields and items of a text in which null is looked for, and to which it is looked through."""
_FEW = 32
"""Letters that are looked at alone: a text of words has many."""
_SHORT = 2**14
"""Bytes of a text that is looked through for what JSON does not know."""
_PLACE = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<place>.*)`)?$", re.DOTALL)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ITEMS = msgspec.json.Decoder(list[msgspec.Raw])
_OBJECT = re.compile(rb"\s*\{")
_FIELD = re.compile(rb'"\s*:')


def decode_json(
    decoder: msgspec.json.Decoder[T], body: bytes | bytearray, beside: int = MOST_BESIDE
) -> T:
    """The typed body; `beside`: bytes that a large one may have beside its numbers.

    Raises BadJson, BadMessage, BadValue, TooLarge.
    """
    text = body[len(_MARK) :] if body.startswith(_MARK) else body
    try:
        if len(text) > LARGE:
            return decode_large(partial(_decode, decoder), text, beside)
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
        if len(text) <= LARGE:
            text = _WithoutNulls().of(text, decoder.type, _DEEPEST)
        elif not any(islice(_FIELD.finditer(text), _MOST, None)):  # long texts, in few fields
            text = _WithoutNulls().of(text, decoder.type, 1)
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


class _WithoutNulls:
    """A text without the fields that are null. Of more fields and items than any body has, those
    behind the first ones stay as they are: what they cost is bounded, and they are refused."""

    def __init__(self) -> None:
        self._left = _MOST

    def of(self, text: bytes | bytearray, kind: Any, levels: int) -> bytes | bytearray:
        """Of the text of such a body, so many levels deep."""
        if not _OBJECT.match(text):
            return text
        return self._object(text, _optional_fields(kind), levels - 1)

    def _object(
        self, text: bytes | bytearray, names: frozenset[str] | None, deeper: int
    ) -> bytes | bytearray:
        """Without those of these names, where some are given."""
        fields = _FIELDS.decode(text)
        if not self._takes(len(fields)):
            return text
        kept = {
            name: self._inside(value, deeper)
            for name, value in fields.items()
            if bytes(value) != _NULL or (names is not None and name not in names)
        }
        return msgspec.json.encode(kept)

    def _inside(self, value: msgspec.Raw, deeper: int) -> msgspec.Raw:
        """The same of a field's objects. Arrays of numbers stay as they are."""
        text = bytes(value)
        if not deeper or not self._left or _NULL not in text:
            return value
        if text.startswith(b"{"):
            return msgspec.Raw(self._object(text, None, deeper - 1))
        if not text.startswith(b"[") or b"{" not in text:
            return value
        items = _ITEMS.decode(text)
        if not self._takes(len(items)):
            return value
        return msgspec.Raw(msgspec.json.encode([self._inside(i, deeper - 1) for i in items]))

    def _takes(self, count: int) -> bool:
        """Whether so many more may be looked at."""
        self._left = max(self._left - count, 0)
        return self._left > 0


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
    steps = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in path]
    return quoted("".join(steps).removeprefix("."))
