"""The contract says which field is wrong, and what was expected."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from larnn_service.contract import (
    MANIFEST_FILE,
    Contract,
    ContractError,
    GraphFile,
    Manifest,
    StateTensor,
)
from larnn_service.outputs import classes
from tests import live
from tests.toy import CONTRACT


def test_signature_of_inputs_and_outputs() -> None:
    shapes = {s.name: (s.dtype, s.shape) for s in CONTRACT.expected_inputs()}
    assert shapes == {
        "x": ("float32", (None, None, 2)),
        "lengths": ("int64", (None,)),
        "total": ("float32", (None, 2)),
        "seen": ("int64", (None,)),
    }
    shapes = {s.name: (s.dtype, s.shape) for s in CONTRACT.expected_outputs()}
    assert shapes == {
        "logits": ("float32", (None, None, 3)),
        "next_total": ("float32", (None, 2)),
        "next_seen": ("int64", (None,)),
    }
    CONTRACT.check_graph(CONTRACT.expected_inputs(), CONTRACT.expected_outputs())


def test_initial_array() -> None:
    tensor = StateTensor(name="age", shape=(2, 3), dtype="int64", initial=4, description="")
    array = tensor.initial_array(5)
    assert (array.shape, array.dtype, set(array.flat)) == ((5, 2, 3), np.dtype("int64"), {4})


@pytest.mark.parametrize(
    ("index", "change", "message"),
    [
        (0, {"name": "y"}, r"^input x: the graph has no such tensor"),
        (1, {"dtype": "float32"}, r"^input lengths: dtype float32; the manifest says int64"),
        (
            2,
            {"shape": (None, 3)},
            r"^input total: shape \['\?', 3\]; the manifest says \['\?', 2\]",
        ),
        (3, {"shape": (1,)}, r"^input seen: shape \[1\]; the manifest says \['\?'\]"),
    ],
)
def test_graph_that_differs_is_refused_by_name(
    index: int, change: dict[str, Any], message: str
) -> None:
    inputs = CONTRACT.expected_inputs()
    inputs[index] = inputs[index].model_copy(update=change)
    with pytest.raises(ContractError, match=message):
        CONTRACT.check_graph(inputs, CONTRACT.expected_outputs())


def test_tensor_that_the_manifest_lacks_is_refused() -> None:
    outputs = CONTRACT.expected_outputs()
    outputs.append(outputs[0].model_copy(update={"name": "next_more"}))
    with pytest.raises(ContractError, match="output next_more: the graph has it") as caught:
        CONTRACT.check_graph(CONTRACT.expected_inputs(), outputs)
    assert caught.value.field == "output next_more"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        (None, "metadata"),
        ("{}", "metadata"),
        (CONTRACT.model_copy(update={"sample_rate_hz": 20.0}).model_dump_json(), "sample_rate_hz"),
        (CONTRACT.model_copy(update={"outputs": classes("AB")}).model_dump_json(), "outputs"),
    ],
)
def test_metadata_that_differ_are_refused_by_field(text: str | None, field: str) -> None:
    with pytest.raises(ContractError) as caught:
        CONTRACT.check_metadata(text)
    assert caught.value.field == field


@pytest.mark.parametrize(
    "field",
    ["outputs", "state"],
)
def test_names_are_unique(field: str) -> None:
    record = CONTRACT.model_dump()
    record[field] = [*record[field], record[field][0]]
    with pytest.raises(ValidationError, match="outputs, state and context: names must be unique"):
        Contract.model_validate(record)


def test_manifest_travels_as_json() -> None:
    manifest = Manifest(
        name="toy",
        version=1,
        description="",
        contract=CONTRACT,
        graph=GraphFile(file="model.onnx", sha256="0" * 64),
        network={"family": "toy"},
    )
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest


def test_a_manifest_from_before_the_terms_of_data_loads_and_stays_as_it_is() -> None:
    version = live.ROOT / "models" / "larnn-har" / "1"
    record = json.loads((version / MANIFEST_FILE).read_text())
    assert record.pop("data_terms")
    manifest = Manifest.model_validate(record)
    assert manifest.data_terms == ""
    assert manifest.model_dump(mode="json").keys() == record.keys()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", "Toy"),
        ("name", "../toy"),
        ("version", 0),
        ("version", 2**53),
        ("version", int("1" * 60)),
        ("graph", {"file": "../model.onnx", "sha256": "0" * 64}),
        ("graph", {"file": "model.onnx", "sha256": "short"}),
        ("unheard_of", 1),
    ],
)
def test_manifest_that_is_wrong_names_the_field(field: str, value: Any) -> None:
    good = {
        "name": "toy",
        "version": 1,
        "description": "",
        "contract": CONTRACT.model_dump(),
        "graph": {"file": "model.onnx", "sha256": "0" * 64},
        "network": {},
    }
    with pytest.raises(ValidationError, match=field):
        Manifest.model_validate({**good, field: value})
