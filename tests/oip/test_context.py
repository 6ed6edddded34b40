"""Context as tensors of the Open Inference Protocol: optional where it has a default."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from tritonclient import grpc as triton

from tests import carried, live

STEPS = np.array([[[1], [0], [3], [2]], [[2], [2], [0], [1]]], np.float32)
GAINS = np.array([0.5, 3], np.float32)
SHIFTS = np.array([[1, 2], [3, 4]], np.float32)
ANSWERS = np.stack(
    [
        carried.expected(row, gain, shift)[0]
        for row, gain, shift in zip(STEPS, GAINS.tolist(), SHIFTS.tolist(), strict=True)
    ]
)
PATH = "/v2/models/carried"


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[live.Process]:
    root = tmp_path_factory.mktemp("models")
    carried.publish(root)
    with live.process(models=root, model="carried", grpc_port=0) as process:
        yield process


@pytest.fixture
def http(process: live.Process) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=process.url, timeout=60) as client:
        yield client


def tensor(name: str, array: Any, datatype: str = "FP32") -> dict[str, Any]:
    array = np.asarray(array)
    return {
        "name": name,
        "datatype": datatype,
        "shape": list(array.shape),
        "data": array.tolist(),
    }


def infer(http: httpx.Client, *inputs: dict[str, Any], **parameters: Any) -> Any:
    return http.post(f"{PATH}/infer", json={"inputs": inputs, "parameters": parameters})


def answer_of(response: httpx.Response) -> Any:
    [answer] = [each for each in response.json()["outputs"] if each["name"] == "answer"]
    return np.array(answer["data"], np.float32).reshape(answer["shape"])


def test_metadata_and_configuration_have_them(http: httpx.Client) -> None:
    inputs = {each["name"]: each for each in http.get(PATH).json()["inputs"]}
    assert (inputs["gain"]["datatype"], inputs["gain"]["shape"]) == ("FP32", [-1, 1])
    assert (inputs["shift"]["shape"], inputs["upside_down"]["datatype"]) == ([-1, 2], "BOOL")
    config = {each["name"]: each for each in http.get(f"{PATH}/config").json()["input"]}
    assert (config["gain"]["dims"], config["gain"]["optional"]) == ([1], False)
    assert (config["shift"]["dims"], config["shift"]["optional"]) == ([2], True)


def test_each_row_has_its_own(http: httpx.Client) -> None:
    x = tensor("x", STEPS)
    told = infer(http, x, tensor("gain", GAINS), tensor("shift", SHIFTS))
    np.testing.assert_array_equal(answer_of(told), ANSWERS)
    told = infer(http, x, tensor("gain", GAINS[:, None]), tensor("shift", SHIFTS))
    np.testing.assert_array_equal(answer_of(told), ANSWERS)
    turned = tensor("upside_down", [True, False], "BOOL")
    told = infer(http, x, tensor("gain", GAINS), tensor("shift", 0 * SHIFTS), turned)
    signs = np.array([-1, 1], np.float32)[:, None, None]
    np.testing.assert_array_equal(answer_of(told), signs * (ANSWERS - SHIFTS[:, None]))


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ([], "context gain: missing"),
        ([tensor("gain", [1.0])], "input gain: shape [1]; send [2]"),
        ([tensor("gain", [1.0, 2.0], "FP64")], "input gain: its datatype is FP64; send FP32"),
        ([tensor("gain", [1.0, 1e39])], "context gain: every value is a finite float32"),
        ([tensor("pitch", [1.0, 1.0])], "and context: gain, shift, upside_down"),
        (
            [tensor("gain", [1.0, 1.0]), tensor("upside_down", [1, 0], "BOOL")],
            "input upside_down: data",
        ),
    ],
)
def test_what_does_not_fit_is_refused(http: httpx.Client, inputs: list[Any], says: str) -> None:
    refused = infer(http, tensor("x", STEPS), *inputs)
    assert refused.status_code == 400
    assert says in refused.json()["error"]


def test_a_sequence_has_it_from_its_start_on(http: httpx.Client) -> None:
    gain, shift = tensor("gain", GAINS[:1]), tensor("shift", SHIFTS[:1])
    head, tail = tensor("x", STEPS[:1, :1]), tensor("x", STEPS[:1, 1:])
    told = infer(http, head, gain, shift, sequence_id=5, sequence_start=True)
    np.testing.assert_array_equal(answer_of(told)[0], ANSWERS[0, :1])
    refused = infer(http, tail, gain, sequence_id=5)
    assert "context is given with sequence_start" in json.dumps(refused.json())
    told = infer(http, tail, sequence_id=5, sequence_end=True)
    np.testing.assert_array_equal(answer_of(told)[0], ANSWERS[0, 1:])


@pytest.mark.parametrize("raw", [True, False])
def test_grpc_takes_them_too(process: live.Process, raw: bool) -> None:
    inputs = []
    for name, array, datatype in (
        ("x", STEPS, "FP32"),
        ("gain", GAINS, "FP32"),
        ("shift", SHIFTS, "FP32"),
        ("upside_down", np.array([True, True]), "BOOL"),
    ):
        given = triton.InferInput(name, list(array.shape), datatype)
        given.set_data_from_numpy(array)
        inputs.append(given)
    client = triton.InferenceServerClient(process.grpc)
    try:
        told = client.infer("carried", inputs, client_timeout=60).as_numpy("answer")
    finally:
        client.close()
    np.testing.assert_array_equal(told, 2 * SHIFTS[:, None] - ANSWERS)


def test_what_lies_beyond_the_lengths_is_counted_too(http: httpx.Client) -> None:
    wide = {"name": "x", "datatype": "FP32", "shape": [2, 100_000, 1], "data": [0.0] * 200_000}
    refused = infer(http, wide, tensor("lengths", [1, 1], "INT64"))
    assert refused.status_code == 413
    assert "200000 steps with what is beyond the lengths; at most 131072" in refused.text


@pytest.mark.parametrize("version", ["20250101120000", str(2**53 - 1)])
def test_a_version_may_be_any_that_a_manifest_has(http: httpx.Client, version: str) -> None:
    body = {"inputs": [tensor("x", STEPS)]}
    assert http.post(f"{PATH}/versions/{version}/infer", json=body).status_code == 404
    refused = http.post(f"{PATH}/versions/{2**53}/infer", json=body)
    assert "versions are numbers" in refused.text
    told = http.post("/classify", json={"version": int(version), "sequences": [[[1]]]})
    assert told.json()["code"] == "unknown_model"
