"""Context in a body, small or large, comes out as it was sent."""

from __future__ import annotations

import json

import msgspec
import numpy as np
import pytest

from larnn_service.contract import GraphFile, Manifest
from larnn_service.errors import BadShape, BadValue
from larnn_service.interfaces import Model
from larnn_service.tensors import ContextDtype, ContextTensor
from larnn_service.wire.context import start_of
from larnn_service.wire.http_schemas import ClassifyBody
from larnn_service.wire.json_bodies import decode_json
from larnn_service.wire.large_json import LARGE
from tests import toy
from tests.engine.bench import Sums

DECODER = msgspec.json.Decoder(ClassifyBody)


def model(dtype: ContextDtype, *shape: int) -> Model:
    """The toy with one context tensor."""
    tensor = ContextTensor(name="voice", shape=shape, dtype=dtype, description="")
    contract = toy.CONTRACT.model_copy(update={"context": (tensor,)})
    graph = GraphFile(file="model.onnx", sha256="0" * 64)
    manifest = Manifest(
        name="toy", version=1, description="", contract=contract, graph=graph, network={}
    )
    return Model(manifest, Sums())


@pytest.mark.parametrize("padding", [0, LARGE])
def test_a_long_vector_comes_through_a_body_of_any_size(padding: int) -> None:
    voice = np.random.default_rng(0).normal(size=(3, 192)).astype(np.float32)
    body = json.dumps({"context": {"voice": voice.tolist()}, "sequences": [[[1.0, 2.0]]]})
    text = body.replace("[[[1.0", "[[" + " " * padding + "[1.0").encode()
    decoded = decode_json(DECODER, text)
    start = start_of(model("float32", 3, 192), decoded.context)
    assert start is not None
    np.testing.assert_array_equal(start["voice"], voice)
    assert start["total"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("int8", [-128, 127], [128, 0]),
        ("uint8", [0, 255], [-1, 0]),
        ("uint64", [0, 2**64 - 1], [2**64, 0]),
        ("int64", [-(2**63), 2**63 - 1], [2**63, 0]),
        ("int32", [1, 2], [1.5, 2]),
        ("float16", [1, 2.5], [7e4, 0]),
        ("float64", [1e300, 0], ["1", 0]),
        ("bool", [True, False], [1, 0]),
    ],
)
def test_each_type_takes_what_it_can_hold(
    dtype: ContextDtype, good: list[float], bad: list[float]
) -> None:
    start = start_of(model(dtype, 2), {"voice": msgspec.Raw(json.dumps(good).encode())})
    assert start is not None
    assert (start["voice"].dtype, start["voice"].tolist()) == (np.dtype(dtype), good)
    with pytest.raises(BadValue, match="context voice"):
        start_of(model(dtype, 2), {"voice": msgspec.Raw(json.dumps(bad).encode())})
    with pytest.raises(BadShape, match=r"rows of different lengths; send .* \[2, 2\]"):
        start_of(model(dtype, 2, 2), {"voice": msgspec.Raw(json.dumps([good, good[:1]]).encode())})
