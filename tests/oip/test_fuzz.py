"""Whatever is sent to /v2 gets an answer of its shape, and the service is well afterwards."""

from __future__ import annotations

import json
from typing import Any

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2 as pb

from larnn_service.endpoints.oip import grpc_convert
from larnn_service.endpoints.oip.inference import read_inputs
from larnn_service.errors import ServiceError
from larnn_service.interfaces import Model
from larnn_service.settings import Settings
from tests.engine.bench import MANIFEST, Sums
from tests.oip.chunks import TOTALS, WINDOW

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)
sizes = st.one_of(st.integers(-1, 4), st.integers(-(2**63), 2**64))
parameters = st.fixed_dictionaries(
    {},
    optional={
        "sequence_id": st.sampled_from([0, 1, 7, "a", "", -1, 2**64]) | json_values,
        "sequence_start": st.booleans() | json_values,
        "sequence_end": st.booleans() | json_values,
        "offset": sizes | json_values,
        "acked": sizes,
        "binary_data_output": st.booleans() | json_values,
    },
)
tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["x", "lengths", "total", ""]),
        "datatype": st.sampled_from(["FP32", "INT64", "FP64", "BYTES", ""]),
        "shape": st.lists(sizes, max_size=4) | st.just([1, 2, 2]) | st.just([1]),
    },
    optional={
        "data": st.just([1, 2, 3, 4]) | st.just([1]) | json_values,
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": sizes}),
    },
)
bodies = st.fixed_dictionaries(
    {"inputs": st.lists(tensors, max_size=3)},
    optional={
        "id": st.text(max_size=3),
        "parameters": parameters,
        "outputs": st.lists(st.fixed_dictionaries({"name": st.sampled_from(["logits", "x"])})),
    },
)
GOOD = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2, 2], "data": [1, 2, 3, 4]}]}

LIMITS = Settings()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    body=bodies | json_values,
    tail=st.binary(max_size=20),
    length=st.none() | st.integers(-1, 400) | st.just("right"),
)
@example(body=GOOD, tail=b"", length=None)
@example(body=GOOD | {"parameters": {"binary_data_output": True}}, tail=b"", length="right")
def test_every_body_is_answered(
    client: httpx.Client, body: Any, tail: bytes, length: int | str | None
) -> None:
    head = json.dumps(body).encode()
    told = len(head) if length == "right" else length
    headers = {} if told is None else {"Inference-Header-Content-Length": str(told)}
    answer = client.post("/v2/models/toy/infer", content=head + tail, headers=headers)
    assert answer.status_code in (200, 400, 404, 409, 410), answer.text
    if answer.status_code != 200:
        assert answer.json().keys() - {"expected_offset"} == {"error", "code"}


def test_the_service_is_well_afterwards(client: httpx.Client) -> None:
    body = {"name": "x", "datatype": "FP32", "shape": [1, 3, 2], "data": WINDOW.ravel().tolist()}
    answer = client.post("/v2/models/toy/infer", json={"inputs": [body]}).json()
    np.testing.assert_array_equal(answer["outputs"][0]["data"], TOTALS.ravel())


grpc_parameters = st.dictionaries(
    st.sampled_from(["sequence_id", "offset", "other", "shared_memory_region"]),
    st.builds(pb.InferParameter, bool_param=st.booleans())
    | st.builds(pb.InferParameter, int64_param=st.integers(-(2**63), 2**63 - 1))
    | st.builds(pb.InferParameter, string_param=st.text(max_size=3))
    | st.just(pb.InferParameter()),
    max_size=2,
)
grpc_tensors = st.builds(
    pb.ModelInferRequest.InferInputTensor,
    name=st.sampled_from(["x", "lengths", "total", ""]),
    datatype=st.sampled_from(["FP32", "INT64", "FP64", ""]),
    shape=st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 3), max_size=4)
    | st.just([1, 2, 2]),
    contents=st.none()
    | st.builds(
        pb.InferTensorContents,
        fp32_contents=st.lists(st.floats(width=32), max_size=5),
        int64_contents=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=2),
    ),
    parameters=grpc_parameters,
)
grpc_requests = st.builds(
    pb.ModelInferRequest,
    inputs=st.lists(grpc_tensors, max_size=3),
    parameters=grpc_parameters,
    raw_input_contents=st.lists(st.binary(max_size=16) | st.just(bytes(16)), max_size=3),
)


@settings(max_examples=300)
@given(request=grpc_requests)
def test_every_message_is_read_or_refused(request: Any) -> None:
    """What a ModelInferRequest holds becomes arrays that fit, or an error of the service's own."""
    model = Model(MANIFEST, Sums())
    try:
        x, lengths = read_inputs(grpc_convert.asked(request).inputs, model, lambda *_: None, LIMITS)
    except ServiceError:
        return
    assert x.dtype == np.float32 and x.shape[2] == 2
    assert len(lengths) == len(x) and all(0 <= length <= x.shape[1] for length in lengths)


@pytest.mark.parametrize("nested", [1_000, 100_000])
def test_deep_nesting_is_refused(client: httpx.Client, nested: int) -> None:
    tensor = '{"name": "x", "datatype": "FP32", "shape": [1, 1, 2], "data": '
    deep = tensor + "[" * nested + "]" * nested + "}"
    answer = client.post("/v2/models/toy/infer", content='{"inputs": [' + deep + "]}")
    assert answer.status_code == 400
