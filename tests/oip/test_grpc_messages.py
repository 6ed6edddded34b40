"""What a protobuf message costs is known before it is parsed."""

from __future__ import annotations

from typing import Any

import pytest
from tritonclient.grpc import service_pb2 as pb

from larnn_service.admission.byte_budget import FREE, Held, WaitingBytes
from larnn_service.endpoints.oip.grpc_messages import MOST_FIELDS, MOST_INTEGERS, parsed
from larnn_service.errors import BadMessage, Full, TooLarge
from tests.oip.test_grpc_order import part

INFER = pb.ModelInferRequest.DESCRIPTOR


def request(**contents: Any) -> bytes:
    """With one input of these contents."""
    tensor = pb.ModelInferRequest.InferInputTensor(name="x", datatype="INT64", shape=[1, 1, 1])
    for name, numbers in contents.items():
        getattr(tensor.contents, name).extend(numbers)
    return bytes(pb.ModelInferRequest(model_name="toy", inputs=[tensor]).SerializeToString())


@pytest.mark.parametrize(
    "data",
    [
        part("a", 10_000, starts=True).SerializeToString(),
        request(fp32_contents=[0.5] * 300_000),
        request(fp64_contents=[0.5] * 300_000),
        request(int64_contents=[2**62] * (MOST_INTEGERS - 3)),
        request(int64_contents=[-1] * 1000),
        request(bool_contents=[True] * 1000),
        b"\x3a\0" * MOST_FIELDS,
        b"\xf8\x06\x01" + b"\xfd\x06\0\0\0\0" + b"\xf9\x06" + bytes(8),  # fields that nobody knows
        b"",
    ],
)
def test_the_message_is_that_of_its_bytes(data: bytes) -> None:
    assert parsed(INFER, data) == pb.ModelInferRequest.FromString(data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x3a\0" * (MOST_FIELDS + 1),
        b"\x22\0" * (MOST_FIELDS + 1),
        request(int_contents=[1] * (MOST_INTEGERS + 1)),
        request(bool_contents=[True] * (MOST_INTEGERS - 100), uint_contents=[1] * 200),
        request(uint64_contents=[1] * (MOST_INTEGERS + 1)),
        b"\x2a\x84\x10" + b"\x3a\0" * 1026,  # fields of an input
    ],
)
def test_what_is_too_much_is_refused(data: bytes) -> None:
    with pytest.raises(TooLarge):
        parsed(INFER, data)


@pytest.mark.parametrize(
    "data",
    [
        b"\x0b\x0c",  # a group
        b"\x0a",
        b"\x0a\x05toy",
        b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
        b"\xff" * 11,
        b"\x08",
        b"\x0d\0\0\0",
        b"\x0a\x01\xff",  # no UTF-8
        b"\x2a\x02\x0a\x05",
        b"\x0e",
    ],
)
def test_what_is_no_message_is_refused(data: bytes) -> None:
    with pytest.raises(BadMessage, match="no protobuf of the type ModelInferRequest"):
        parsed(INFER, data)


def test_it_is_counted_before_it_is_parsed() -> None:
    data, waiting = request(int_contents=[1] * 10_000), WaitingBytes(2**17)
    held = Held(waiting)
    parsed(INFER, data, held)
    assert waiting.total == len(data) + 8 * 10_003 - FREE
    with pytest.raises(Full):
        parsed(INFER, data + b"\x0a\x01\xff", Held(waiting))  # which is no message
