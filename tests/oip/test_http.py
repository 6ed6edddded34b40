"""/v2 by NVIDIA's own client, as it comes from PyPI, against the running service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from tests.oip.chunks import HALVES, TOTALS, WINDOW, new_name


@pytest.fixture
def client_of(toy_url: str) -> Iterator[Any]:
    client = triton.InferenceServerClient(toy_url.removeprefix("http://"), network_timeout=120)
    yield client
    client.close()


def x_of(steps: Any, binary: bool = True, name: str = "x") -> Any:
    array = np.asarray(steps, np.float32)
    tensor = triton.InferInput(name, array.shape, "FP32")
    tensor.set_data_from_numpy(array, binary_data=binary)
    return tensor


def infer(client: Any, steps: Any, binary: bool = True, **options: Any) -> NDArray[np.float32]:
    output = triton.InferRequestedOutput("logits", binary_data=binary)
    answer = client.infer("toy", [x_of(steps, binary)], outputs=[output], **options)
    logits: NDArray[np.float32] = answer.as_numpy("logits")
    return logits


def test_health(client_of: Any) -> None:
    assert client_of.is_server_live()
    assert client_of.is_server_ready()
    assert client_of.is_model_ready("toy")
    assert client_of.is_model_ready("toy", "1")
    assert not client_of.is_model_ready("toy", "2")
    assert not client_of.is_model_ready("another")


def test_metadata_lists_no_state(client_of: Any) -> None:
    assert "sequence(string_id)" in client_of.get_server_metadata()["extensions"]
    assert client_of.get_model_metadata("toy") == {
        "name": "toy",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [-1, -1, 2]},
            {"name": "lengths", "datatype": "INT64", "shape": [-1, 1]},
        ],
        "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, -1, 3]}],
    }
    config = client_of.get_model_config("toy", "1")
    assert config["max_batch_size"] > 0  # so dims have no batch axis, and the metadata has it
    for described, configured in zip(
        client_of.get_model_metadata("toy")["inputs"], config["input"], strict=True
    ):
        assert described["shape"] == [-1, *configured["dims"]]


@pytest.mark.parametrize("binary", [True, False])
def test_whole_sequences(client_of: Any, binary: bool) -> None:
    np.testing.assert_array_equal(infer(client_of, [WINDOW, WINDOW], binary), [TOTALS, TOTALS])


def test_all_outputs_come_unless_some_are_asked_for(client_of: Any) -> None:
    answer = client_of.infer("toy", [x_of([WINDOW])], request_id="mine")
    np.testing.assert_array_equal(answer.as_numpy("logits"), [TOTALS])
    assert answer.get_response()["id"] == "mine"
    assert answer.get_response()["model_version"] == "1"


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("shape", [[2, 1], [2]])
def test_rows_of_different_lengths(client_of: Any, binary: bool, shape: list[int]) -> None:
    lengths = triton.InferInput("lengths", shape, "INT64")
    numbers = np.array([1, len(WINDOW)]).reshape(shape)
    lengths.set_data_from_numpy(numbers, binary_data=binary)
    answer = client_of.infer("toy", [x_of([WINDOW, WINDOW], binary), lengths])
    short = np.zeros_like(TOTALS)
    short[0] = TOTALS[0]
    np.testing.assert_array_equal(answer.as_numpy("logits"), [short, TOTALS])


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("kind", [int, str])
def test_a_sequence_remembers(client_of: Any, binary: bool, kind: type) -> None:
    name = kind(new_name())
    for index, (steps, totals) in enumerate(HALVES):
        logits = infer(
            client_of,
            [steps],
            binary,
            sequence_id=name,
            sequence_start=index == 0,
            sequence_end=index == len(HALVES) - 1,
        )
        np.testing.assert_array_equal(logits, [totals])
    with pytest.raises(InferenceServerException, match="ended"):
        infer(client_of, [WINDOW], binary, sequence_id=name)
    np.testing.assert_array_equal(
        infer(client_of, [WINDOW], binary, sequence_id=name, sequence_start=True), [TOTALS]
    )


def test_an_integer_and_its_text_are_two_sequences(client_of: Any) -> None:
    name = new_name()
    infer(client_of, [WINDOW], sequence_id=name, sequence_start=True)
    with pytest.raises(InferenceServerException, match="has not begun"):
        infer(client_of, [WINDOW], sequence_id=str(name))


def test_without_an_offset_a_retry_counts_again(client_of: Any) -> None:
    name = new_name()
    first = infer(client_of, [WINDOW], sequence_id=name, sequence_start=True)
    again = infer(client_of, [WINDOW], sequence_id=name)
    np.testing.assert_array_equal(again[0, -1, :2], 2 * first[0, -1, :2])


def test_with_an_offset_every_request_can_be_sent_again(client_of: Any) -> None:
    name, offset = new_name(), 0
    for index, (steps, totals) in enumerate(HALVES):
        part: dict[str, Any] = {
            "sequence_id": name,
            "sequence_start": index == 0,
            "sequence_end": index == len(HALVES) - 1,
            "parameters": {"offset": offset},
        }
        for _ in range(3):
            np.testing.assert_array_equal(infer(client_of, [steps], **part), [totals])
        offset += len(steps)


def test_an_answer_tells_the_position(client_of: Any) -> None:
    name = new_name()
    answer = client_of.infer("toy", [x_of([WINDOW])], sequence_id=name, sequence_start=True)
    assert answer.get_response()["parameters"] == {
        "sequence_id": name,
        "sequence_start": True,
        "sequence_end": False,
        "position": len(WINDOW),
        "durable": len(WINDOW),
    }


def test_a_gap_says_where_to_go_on(client_of: Any) -> None:
    name = new_name()
    infer(client_of, [WINDOW], sequence_id=name, sequence_start=True)
    with pytest.raises(InferenceServerException, match=f"from {len(WINDOW)} on") as raised:
        infer(client_of, [WINDOW], sequence_id=name, parameters={"offset": 99})
    assert raised.value.status() == "409"


def test_a_living_sequence_is_not_started_again(client_of: Any) -> None:
    name = new_name()
    infer(client_of, [WINDOW], sequence_id=name, sequence_start=True)
    with pytest.raises(InferenceServerException, match="has begun") as raised:
        infer(client_of, [WINDOW], sequence_id=name, sequence_start=True)
    assert raised.value.status() == "409"


def test_a_sequence_can_end_without_steps(client_of: Any) -> None:
    name = new_name()
    infer(client_of, [WINDOW], sequence_id=name, sequence_start=True)
    nothing = np.empty((1, 0, 2), np.float32)
    part: dict[str, Any] = {"sequence_id": name, "parameters": {"offset": len(WINDOW)}}
    for _ in range(2):
        assert infer(client_of, nothing, binary=False, sequence_end=True, **part).size == 0
    with pytest.raises(InferenceServerException, match="ended"):
        infer(client_of, [WINDOW], sequence_id=name)


def test_what_is_wrong_is_said_in_its_shape(client: httpx.Client) -> None:
    answer = client.post("/v2/models/toy/infer", content=b"{")
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "code"}
    assert answer.json()["code"] == "bad_json"
    missing = client.get("/v2/no-such-door")
    assert missing.status_code == 404
    assert "GET /docs lists the endpoints" in missing.json()["error"]


def tensor(**changes: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": "FP32", "shape": [1, 2, 2], "data": [1, 2, 3, 4]} | changes


LENGTHS = {"name": "lengths", "datatype": "INT64", "shape": [1]}
CLASSES = {"name": "logits", "parameters": {"classification": 1}}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"inputs": []}, "toy takes x"),
    ({"inputs": [tensor(name="total")]}, "its state stays here"),
    ({"inputs": [tensor(), tensor()]}, "toy takes x"),
    ({"inputs": [tensor(datatype="FP64")]}, "datatype is FP64; send FP32"),
    ({"inputs": [tensor(shape=[1, 1, 4])]}, r"send \[batch, steps, 2\]"),
    ({"inputs": [tensor(shape=[2, 2])]}, r"send \[batch, steps, 2\]"),
    ({"inputs": [tensor(shape=[2, 2, 2])]}, "4 numbers"),
    ({"inputs": [tensor(shape=[2**31 - 1, 0, 2], data=[])]}, "shape"),
    ({"inputs": [tensor(shape=[1, 0, 2], data=[])]}, "no steps"),
    ({"inputs": [tensor(shape=[0, 1, 2], data=[])]}, "empty"),
    ({"inputs": [tensor(data=[[1, 2], [3]])]}, "different lengths"),
    ({"inputs": [tensor(data=[1, 2, "3", 4])]}, "Expected `float`"),
    ({"inputs": [tensor(data={})]}, "array of numbers"),
    ({"inputs": [tensor(data=[1, 2, 3, 1e39])]}, r"x\[0\]\[1\]\[1\]: every value is a finite"),
    ({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1]}]}, "send data or"),
    ({"inputs": [tensor(parameters={"binary_data_size": 16})]}, "send data or"),
    ({"inputs": [tensor(parameters={"shared_memory_region": "a"})]}, "not offered"),
    ({"inputs": [tensor(), LENGTHS | {"data": [3]}]}, "between 0 and"),
    ({"inputs": [tensor(), LENGTHS | {"data": [2**63]}]}, "lengths"),
    ({"inputs": [tensor(), LENGTHS | {"shape": [2], "data": [1, 1]}]}, r"send \[1\]"),
    ({"inputs": [tensor()], "outputs": [{"name": "total"}]}, "gives logits alone"),
    ({"inputs": [tensor()], "outputs": [CLASSES]}, "POST /classify"),
    ({"inputs": [tensor()], "parameters": {"sequence_id": 1.5}}, "integer or a text"),
    ({"inputs": [tensor()], "parameters": {"sequence_id": True}}, "integer or a text"),
    ({"inputs": [tensor()], "parameters": {"sequence_id": "a" * 129}}, "at most 128"),
    ({"inputs": [tensor()], "parameters": {"sequence_start": True}}, "need a sequence_id"),
    ({"inputs": [tensor()], "parameters": {"sequence_id": 1, "sequence_end": 1}}, "true or false"),
    ({"inputs": [tensor()], "parameters": {"sequence_id": 1, "offset": -1}}, "not negative"),
    (
        {
            "inputs": [tensor()],
            "parameters": {"sequence_id": "late", "sequence_start": True, "offset": 3},
        },
        "starts at 0",
    ),
    (
        {
            "inputs": [tensor(shape=[2, 1, 2])],
            "parameters": {"sequence_id": "two", "sequence_start": True},
        },
        "a sequence takes 1",
    ),
]


@pytest.mark.parametrize(("body", "said"), REFUSED, ids=range(len(REFUSED)))
def test_bad_input_is_refused_with_what_to_do(
    client: httpx.Client, body: dict[str, Any], said: str
) -> None:
    answer = client.post("/v2/models/toy/infer", json=body)
    assert answer.status_code == 400, answer.text
    assert re.search(said, answer.json()["error"]), answer.text


def test_nested_numbers_are_taken_as_flat_ones(client: httpx.Client) -> None:
    nested = client.post("/v2/models/toy/infer", json={"inputs": [tensor(data=[[[1, 2], [3, 4]]])]})
    flat = client.post("/v2/models/toy/infer", json={"inputs": [tensor()]})
    assert nested.json() == flat.json()
    assert flat.json()["outputs"][0]["data"] == [1, 2, 1, 4, 6, 2]


@pytest.mark.parametrize("length", ["-1", "1e3", "99999999999999999999", "x", ""])
def test_a_wrong_header_length_is_refused(client: httpx.Client, length: str) -> None:
    answer = client.post(
        "/v2/models/toy/infer",
        content=json.dumps({"inputs": [tensor()]}),
        headers={"Inference-Header-Content-Length": length},
    )
    assert answer.status_code == 400
    assert "Inference-Header-Content-Length" in answer.json()["error"]


@pytest.mark.parametrize(("announced", "sent"), [(16, 12), (16, 20), (12, 12), (-4, 16), (15, 15)])
def test_bytes_that_do_not_fit_are_refused(client: httpx.Client, announced: int, sent: int) -> None:
    described = {"name": "x", "datatype": "FP32", "shape": [1, 2, 2]}
    head = json.dumps({"inputs": [described | {"parameters": {"binary_data_size": announced}}]})
    answer = client.post(
        "/v2/models/toy/infer",
        content=head.encode() + bytes(sent),
        headers={"Inference-Header-Content-Length": str(len(head))},
    )
    assert answer.status_code == 400
    assert set(answer.json()) == {"error", "code"}


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_a_compressed_body_is_read(client_of: Any, algorithm: str) -> None:
    told = client_of.infer("toy", [x_of([WINDOW])], request_compression_algorithm=algorithm)
    np.testing.assert_array_equal(told.as_numpy("logits"), [TOTALS])
