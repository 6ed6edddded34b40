"""null in a text of JSON costs little to find, however wide and deep a refused text is."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest

from larnn_service.endpoints.oip.schemas import InferBody
from larnn_service.errors import BadJson, BadMessage, ServiceError, TooLarge
from larnn_service.wire.http_schemas import ClassifyBody
from larnn_service.wire.json_bodies import decode_json
from larnn_service.wire.large_json import LARGE
from larnn_service.wire.stream_schemas import FROM_CLIENT

DECODERS: tuple[msgspec.json.Decoder[Any], ...] = (
    FROM_CLIENT,
    msgspec.json.Decoder(ClassifyBody),
    msgspec.json.Decoder(InferBody),
)
SECONDS = 0.015
"""Of this thread's own time, in the best of a few tries."""
_SIZE = LARGE - 100


def _many(item: bytes) -> bytes:
    return b",".join([item] * (_SIZE // (len(item) + 1)))


WIDE = {
    "fields": b'{"x":null,%b}' % b",".join(b'"%x":0' % n for n in range(_SIZE // 10)),
    "fields that are null": b"{%b}" % b",".join(b'"%x":null' % n for n in range(_SIZE // 14)),
    "objects": b'{"inputs":[%b]}' % _many(b'{"a":null}'),
    "objects without a field": b'{"inputs":[%b,null]}' % _many(b"{}")[:-8],
    "arrays of objects": b'{"inputs":[%b]}' % _many(b'[{"a":null}]'),
    "arrays in an array": b'{"inputs":[[%b]]}' % _many(b'[{"a":null}]')[:-4],
    "nulls": b'{"inputs":[{},%b]}' % _many(b"null")[:-5],
    "objects of a field": b'{"parameters":{%b}}'
    % b",".join(b'"%x":{"a":null}' % n for n in range(_SIZE // 20)),
    "deep objects": b'{"inputs":%bnull%b}' % (b'{"a":' * (_SIZE // 7), b"}" * (_SIZE // 7)),
    "deep arrays": b'{"inputs":%bnull%b}' % (b'[{"a":' * (_SIZE // 9), b"}]" * (_SIZE // 9)),
    "brackets": b'{"inputs":null,"x":' + b"[" * _SIZE,
}


@pytest.mark.parametrize("text", WIDE.values(), ids=WIDE)
def test_what_is_refused_costs_little(text: bytes) -> None:
    for decoder in DECODERS:
        tries = []
        for _ in range(5):
            begin = time.thread_time()
            with pytest.raises((BadJson, BadMessage)):
                decode_json(decoder, text)
            tries.append(time.thread_time() - begin)
        assert min(tries) < SECONDS


@pytest.mark.parametrize("beside", [2**12, 2**20])
def test_a_large_text_has_few_arrays_and_little_beside_them(beside: int) -> None:
    text = b'{"inputs":[%b]}' % (b'{"a":[1]},' * (2 * LARGE // 10))
    with pytest.raises(TooLarge, match="are arrays" if beside > LARGE else "are no numbers"):
        decode_json(DECODERS[0], text, beside)


def test_nulls_are_found_in_as_many_fields_as_a_body_has() -> None:
    inputs: list[dict[str, Any]] = [
        {"name": f"x{n}", "datatype": "FP32", "shape": [1], "data": [0], "parameters": None}
        for n in range(15)
    ]
    inputs.append({"name": "y", "datatype": "FP32", "shape": [1], "data": [0]})
    inputs[-1]["parameters"] = {"binary_data_size": None, "other": 1}
    body = decode_json(msgspec.json.Decoder(InferBody), msgspec.json.encode({"inputs": inputs}))
    assert [each.parameters for each in body.inputs] == [{}] * 15 + [{"other": 1}]


@pytest.mark.parametrize("text", ['nothing but {"null": null} and more ', "x"])
def test_long_texts_may_have_nulls_beside_them(text: str) -> None:
    texts = [text * 3_000] * (LARGE // (3_000 * len(text)) + 1)
    body = msgspec.json.encode({"texts": texts, "sequences": None, "model": None})
    assert len(body) > LARGE
    assert decode_json(msgspec.json.Decoder(ClassifyBody), body).texts == texts


@pytest.mark.parametrize("text", [b"null", b"[null]", b'"null"', b" null "])
def test_a_text_that_is_no_object_is_refused(text: bytes) -> None:
    for decoder in DECODERS:
        with pytest.raises(ServiceError):
            decode_json(decoder, text)
