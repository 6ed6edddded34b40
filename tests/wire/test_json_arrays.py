"""Arrays as JSON, however many pieces they take."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest
from numpy.typing import NDArray

from larnn_service.wire.json_arrays import flat_json


@pytest.mark.parametrize("shape", [(0,), (1,), (2, 3, 0), (3, 5, 7), (4096,), (4097,), (3, 3000)])
@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64, np.bool_])
def test_it_is_what_the_list_is(shape: tuple[int, ...], kind: Any) -> None:
    array: NDArray[Any] = np.random.default_rng(0).normal(size=shape).astype(kind)
    assert bytes(flat_json(array)) == msgspec.json.encode(array.ravel().tolist())
