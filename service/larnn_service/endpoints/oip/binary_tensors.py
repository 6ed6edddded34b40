"""The binary tensor extension: a body is JSON, then the tensors' bytes; the header says where."""

from __future__ import annotations

import msgspec

from larnn_service.contract import INPUT, Contract
from larnn_service.endpoints.oip.schemas import InferAnswer, InferBody, InputTensor, Parameters
from larnn_service.endpoints.oip.tensors import DTYPES, input_datatype
from larnn_service.errors import BadMessage, BadShape, quoted
from larnn_service.wire.http import Head, Response
from larnn_service.wire.number_texts import whole_number

HEADER = "Inference-Header-Content-Length"


def split(head: Head, body: bytes | bytearray) -> tuple[bytes | bytearray, memoryview]:
    """The JSON and what follows it. Raises BadMessage."""
    length = head.headers.get(HEADER.lower())
    if length is None:
        return body, memoryview(b"")
    if (number := whole_number(length)) is None or number > len(body):
        raise BadMessage(f"{HEADER}: it is the size in bytes of the JSON that the body begins with")
    return body[:number], memoryview(body)[number:]


def raw(contract: Contract, size: int) -> InferBody:
    """The JSON of a body that has none: its `size` bytes are the steps of one sequence, and the
    outputs are binary. Raises BadShape."""
    datatype, width = input_datatype(contract), contract.input.width
    step = DTYPES[datatype].itemsize * width
    if not size or size % step:
        raise BadShape(
            f"{size} bytes without JSON ({HEADER}: 0) are no whole number of steps: a step of "
            f"{INPUT} is {width} {datatype} numbers, {step} bytes"
        )
    parameters: Parameters = {"binary_data_size": size}
    tensor = InputTensor(INPUT, datatype, [1, size // step, width], parameters=parameters)
    return InferBody([tensor], parameters={"binary_data_output": True})


def parts(tensors: list[InputTensor], data: memoryview) -> list[memoryview | None]:
    """The bytes of each tensor, None where its numbers are JSON. Raises BadMessage."""
    found: list[memoryview | None] = []
    place = 0
    for tensor in tensors:
        size = tensor.parameters.get("binary_data_size")
        if (size is None) is (tensor.data is msgspec.UNSET):
            raise BadMessage(f"input {tensor.name}: send data or the parameter binary_data_size")
        if size is None:
            found.append(None)
            continue
        left = len(data) - place
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size <= left:
            raise BadMessage(
                f"input {tensor.name}: binary_data_size {quoted(size)}; {left} bytes are left "
                f"behind the JSON, whose size {HEADER} says"
            )
        found.append(data[place : place + size])
        place += size
    if place != len(data):
        raise BadMessage(f"{len(data)} bytes follow the JSON; the inputs take {place}")
    return found


def joined(answer: InferAnswer, parts: list[bytes]) -> Response:
    """The answer as JSON, and the bytes of its binary tensors, in order."""
    head = msgspec.json.encode(answer)
    size = (HEADER.lower().encode(), str(len(head)).encode())
    kind = (b"content-type", b"application/octet-stream")
    return Response(b"".join([head, *parts]), headers=(size, kind))
