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


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(BadValue, match="input shift: data: Expected `int`, got `float`"):
        from_json("shift", "INT8", 1, msgspec.Raw(b"[[0.5]]"))
