"""/v2 for every bundled model: measurements are FP32, tokens INT64."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.server.test_memories import MODELS, contract, sequence, whole


@pytest.fixture
def client(har_url: str) -> Iterator[Any]:
    client = triton.InferenceServerClient(har_url.removeprefix("http://"), network_timeout=120)
    yield client
    client.close()


def x_of(name: str, datatype: str, binary: bool) -> Any:
    array = np.array([sequence(name)], np.int64 if datatype == "INT64" else np.float32)
    tensor = triton.InferInput("x", array.shape, datatype)
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_metadata_says_what_infer_takes(client: Any, har_url: str, name: str, binary: bool) -> None:
    datatype = client.get_model_metadata(name)["inputs"][0]["datatype"]
    assert datatype == ("FP32" if contract(name).vocabulary is None else "INT64")
    assert client.get_model_config(name)["input"][0]["data_type"] == f"TYPE_{datatype}"
    answer = client.infer(name, [x_of(name, datatype, binary)]).as_numpy("logits")
    with httpx.Client(base_url=har_url, timeout=60) as http:
        np.testing.assert_allclose(answer[0, -1], whole(http, name), rtol=1e-5, atol=1e-5)
    other = "FP32" if datatype == "INT64" else "INT64"
    with pytest.raises(InferenceServerException, match=f"send {datatype}"):
        client.infer(name, [x_of(name, other, binary)])
