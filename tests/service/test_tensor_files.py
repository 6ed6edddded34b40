"""State and context: what a manifest may say of them, and the files that they begin with."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from larnn_service.backend.model_repository import load_model
from larnn_service.contract import Contract, StateTensor
from larnn_service.errors import StartupError
from larnn_service.tensors import ContextTensor
from tests import carried, toy


def tensor(dtype: Any, initial: float, *shape: int) -> StateTensor:
    return StateTensor(name="one", shape=shape, dtype=dtype, initial=initial, description="")


@pytest.mark.parametrize("dtype", [*carried.TYPES])
def test_a_number_fills_a_tensor_of_any_type(dtype: str) -> None:
    array = tensor(dtype, 1, 2, 3).initial_array(4)
    assert array.shape == (4, 2, 3)
    assert array.dtype == np.dtype("uint16" if dtype == "bfloat16" else dtype)
    assert set(array.ravel().tolist()) == {0x3F80 if dtype == "bfloat16" else 1}
    assert tensor(dtype, 1, 2, 3).nbytes == array[0].nbytes


@pytest.mark.parametrize(
    ("value", "bits"), [(0, 0), (-2, 0xC000), (1.00390625, 0x3F80), (1.01171875, 0x3F82)]
)
def test_a_bfloat16_is_the_nearest_and_of_two_the_even_one(value: float, bits: int) -> None:
    assert tensor("bfloat16", value).initial_array(1).tolist() == [bits]


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("bool", 2),
        ("int8", 128),
        ("uint8", -1),
        ("int32", 0.5),
        ("uint64", 2.0**64),
        ("float16", 7e4),
        ("bfloat16", 1e39),
        ("float64", np.inf),
        ("int64", np.nan),
        ("float32", np.nan),
        ("float8", 0),
    ],
)
def test_a_number_that_the_type_does_not_have_is_refused(dtype: str, value: float) -> None:
    with pytest.raises(ValidationError, match="one: .* is no|Input should be"):
        tensor(dtype, value)


def test_context_has_no_bfloat16_and_no_name_of_another_tensor() -> None:
    with pytest.raises(ValidationError, match="dtype"):
        ContextTensor.model_validate(
            {"name": "a", "shape": [], "dtype": "bfloat16", "description": ""}
        )
    record = toy.CONTRACT.model_dump(mode="json")
    for name in ("x", "lengths", "total", "logits"):
        context: list[dict[str, object]] = [
            {"name": name, "shape": [], "dtype": "bool", "description": ""}
        ]
        with pytest.raises(ValidationError, match="names must be unique"):
            Contract.model_validate(record | {"context": context})


def renamed(folder: Path, data: bytes, name: str = "sum_int16.npy") -> None:
    """Put other bytes in place of the file, and their checksum everywhere."""
    manifest = json.loads((folder / "model.json").read_text())
    before = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    after = hashlib.sha256(data).hexdigest()
    text = json.dumps(manifest).replace(before, after)
    (folder / "model.json").write_text(text)
    graph = (folder / "model.onnx").read_bytes().replace(before.encode(), after.encode())
    old = json.loads(text)["graph"]["sha256"]
    (folder / "model.onnx").write_bytes(graph)
    text = text.replace(old, hashlib.sha256(graph).hexdigest())
    (folder / "model.json").write_text(text)
    (folder / name).write_bytes(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"numbers", "sum_int16.npy is not as numpy.save writes it"),
        (carried.npy(carried.START.astype(np.int32)), "holds int32 [2, 2]; the manifest asks for"),
        (carried.npy(carried.START[:1]), "holds int16 [1, 2]"),
        (carried.npy(np.asfortranarray(carried.START)), "in C order"),
        (carried.npy(carried.START)[:-1], "holds int16 [2, 2]"),
        (carried.npy(carried.START) + b"\0", "holds int16 [2, 2]"),
        (carried.npy(np.array([None, {}])), "asks for"),
    ],
)
def test_a_file_that_is_no_such_array_is_refused(tmp_path: Path, data: bytes, says: str) -> None:
    folder = carried.publish(tmp_path)
    renamed(folder, data)
    with pytest.raises(StartupError) as refused:
        load_model(folder, "cpu")
    assert "model.json: sum_int16: " in str(refused.value)
    assert says in str(refused.value)


def test_a_file_is_read_with_its_checksum_from_the_folder_alone(tmp_path: Path) -> None:
    folder = carried.publish(tmp_path)
    np.testing.assert_array_equal(load_model(folder, "cpu").initial["sum_int16"], carried.START)
    file = folder / "shift.npy"
    data = file.read_bytes()
    file.write_bytes(data[:-1] + b"\x07")
    with pytest.raises(StartupError, match=r"shift.npy: its SHA-256 is"):
        load_model(folder, "cpu")
    file.unlink()
    with pytest.raises(StartupError, match=r"shift.npy: cannot be read"):
        load_model(folder, "cpu")
    (tmp_path / "elsewhere.npy").write_bytes(data)
    file.symlink_to(tmp_path / "elsewhere.npy")
    with pytest.raises(StartupError, match="leads out of its folder"):
        load_model(folder, "cpu")


def test_what_is_not_finite_in_a_file_is_refused(tmp_path: Path) -> None:
    folder = carried.publish(tmp_path)
    renamed(folder, carried.npy(np.array([np.nan, 1], np.float32)), "shift.npy")
    with pytest.raises(StartupError, match=r"model.json: shift: shift.npy holds what is no finite"):
        load_model(folder, "cpu")
