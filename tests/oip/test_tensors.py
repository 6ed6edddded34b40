"""JSON numbers of a tensor, nested as deeply as its shape."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from larnn_service.endpoints.oip.tensors import DTYPES, from_json
from larnn_service.errors import BadShape, BadValue


@pytest.mark.parametrize("datatype", ["FP16", "INT8", "UINT64", "BOOL"])
@pytest.mark.parametrize("depth", [1, 4, 10])
def test_any_depth_of_a_tensor_is_read(datatype: str, depth: int) -> None:
    numbers = b"true, false" if datatype == "BOOL" else b"1, 0"
    found = from_json("shift", datatype, 2, msgspec.Raw(b"[" * depth + numbers + b"]" * depth))
    assert found.dtype == DTYPES[datatype]
    np.testing.assert_array_equal(found.ravel(), np.array([1, 0], found.dtype))


@pytest.mark.parametrize("depth", [0, 11, 5_000])
def test_deeper_than_any_tensor_is_refused(depth: int) -> None:
    with pytest.raises(BadShape, match="flat or nested"):
        from_json("shift", "INT8", 1, msgspec.Raw(b"[" * depth + b"1" + b"]" * depth))


@pytest.mark.parametrize("datatype", ["FP32", "INT64"])
@pytest.mark.parametrize("tail", [b" ", b"0", b"\n"])
def test_a_number_without_an_end_is_not_looked_for(datatype: str, tail: bytes) -> None:
    text = b"[1" + tail * 2**20 + b", x]"
    with pytest.raises(BadValue, match="no number ends in the 1024 bytes from byte 16384 on"):
        from_json("x", datatype, 2, msgspec.Raw(text))


@pytest.mark.parametrize("datatype", ["FP32", "INT64"])
def test_no_more_is_read_than_the_shape_has(datatype: str) -> None:
    numbers = b"[" + b"1," * 2**20
    with pytest.raises(BadShape, match="data has more numbers than its shape"):
        from_json("x", datatype, 9_000, msgspec.Raw(numbers + b"x]"))
    found = from_json("x", datatype, 2**20 + 1, msgspec.Raw(numbers + b"1]"))
    assert found.sum() == 2**20 + 1


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(BadValue, match="input shift: data: Expected `int`, got `float`"):
        from_json("shift", "INT8", 1, msgspec.Raw(b"[[0.5]]"))
