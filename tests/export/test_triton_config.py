"""config.pbtxt says of a published version what its manifest says, in Triton's own terms."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig
from typer.testing import CliRunner

from larnn_export.__main__ import app
from larnn_export.triton_config import CONFIG_FILE, triton_config, write_triton_config
from larnn_service.contract import MANIFEST_FILE, GraphFile, Manifest
from larnn_service.outputs import Output, OutputDtype
from tests import carried, live, many_outputs, toy

PUBLISHED = sorted((live.ROOT / "models").glob("*/*/" + MANIFEST_FILE))


def parsed(path: Path) -> Any:
    return text_format.Parse(path.read_text(), ModelConfig())


def manifest_of(version: Path) -> Manifest:
    return Manifest.model_validate_json((version / MANIFEST_FILE).read_bytes())


@pytest.fixture(params=["toy", *PUBLISHED], ids=lambda param: str(param).split("/")[-3:][0])
def version(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A published version with its config."""
    if isinstance(request.param, Path):
        return request.param.parent
    folder = toy.publish(tmp_path)
    write_triton_config(folder)
    return folder


def test_the_config_has_every_state_tensor(version: Path) -> None:
    contract, config = manifest_of(version).contract, parsed(version / CONFIG_FILE)
    assert config.name == version.parent.name
    assert config.backend == "onnxruntime"
    assert config.max_batch_size == 0
    assert [tensor.name for tensor in config.input] == ["x", "lengths"]
    assert [list(t.dims) for t in config.input] == [[-1, -1, contract.input.width], [-1]]
    outputs = [[-1, -1, *output.step_shape] for output in contract.outputs]
    assert [list(tensor.dims) for tensor in config.output] == outputs
    states = config.sequence_batching.state
    assert len(states) == len(contract.state)
    for state, tensor in zip(states, contract.state, strict=True):
        kind = {"float32": "TYPE_FP32", "float64": "TYPE_FP64", "int64": "TYPE_INT64"}[tensor.dtype]
        assert (state.input_name, state.output_name) == (tensor.name, tensor.next_name)
        assert DataType.Name(state.data_type) == kind
        assert list(state.dims) == [1, *tensor.shape]
        [initial] = state.initial_state
        assert (initial.data_type, initial.dims) == (state.data_type, state.dims)
        assert initial.zero_data is (tensor.initial == 0)


def test_outputs_of_any_type_are_tensors_with_triton_s_names(tmp_path: Path) -> None:
    version = many_outputs.publish(tmp_path)
    write_triton_config(version)
    told = {
        tensor.name: (DataType.Name(tensor.data_type), list(tensor.dims))
        for tensor in parsed(version / CONFIG_FILE).output
    }
    assert told == {
        "sums": ("TYPE_FP32", [-1, -1, 2]),
        "signs": ("TYPE_FP32", [-1, -1, 2]),
        "chance": ("TYPE_FP64", [-1, -1, 2]),
        "steps_seen": ("TYPE_INT64", [-1, -1]),
        "grid": ("TYPE_FP16", [-1, -1, 2, 1]),
    }


def test_context_is_an_input_and_no_state(tmp_path: Path) -> None:
    version = carried.publish(tmp_path)
    write_triton_config(version)
    config = parsed(version / CONFIG_FILE)
    told = {t.name: (DataType.Name(t.data_type), list(t.dims)) for t in config.input}
    assert told == {
        "x": ("TYPE_FP32", [-1, -1, 1]),
        "lengths": ("TYPE_INT64", [-1]),
        "gain": ("TYPE_FP32", [-1]),
        "shift": ("TYPE_FP32", [-1, 2]),
        "upside_down": ("TYPE_BOOL", [-1]),
    }
    assert not {*told} & {state.input_name for state in config.sequence_batching.state}


def test_every_type_of_an_output_has_a_name_there() -> None:
    for dtype in get_args(OutputDtype):
        output = Output(name="raw", task="raw", dtype=dtype)
        contract = toy.CONTRACT.model_copy(update={"outputs": (output,)})
        manifest = Manifest(
            name="toy",
            version=1,
            description="",
            contract=contract,
            graph=GraphFile(file="model.onnx", sha256="0" * 64),
            network={},
        )
        config = text_format.Parse(triton_config(manifest), ModelConfig())
        assert len(config.output) == 1


def test_what_is_published_is_what_would_be(version: Path) -> None:
    """After a change of the export: python -m export triton models/*/*."""
    assert (version / CONFIG_FILE).read_text() == triton_config(manifest_of(version))


def test_triton_finds_the_newest_versions(version: Path) -> None:
    newest = max(int(path.name) for path in version.parent.iterdir() if path.name.isdecimal())
    of_the_model = (version.parent / CONFIG_FILE).read_text()
    assert of_the_model == (version.parent / str(newest) / CONFIG_FILE).read_text()


def test_a_state_that_starts_elsewhere_than_at_zero_has_a_file(tmp_path: Path) -> None:
    contract = toy.CONTRACT.model_dump(mode="json")
    contract["state"][0]["initial"] = 2.5
    version = toy.publish(tmp_path, contract=contract)
    write_triton_config(version)
    [total, seen] = parsed(version / CONFIG_FILE).sequence_batching.state
    assert total.initial_state[0].data_file == "total"
    assert seen.initial_state[0].zero_data
    start = (version.parent / "initial_state" / "total").read_bytes()
    np.testing.assert_array_equal(np.frombuffer(start, np.float32), [2.5, 2.5])


def test_an_older_version_leaves_the_models_config_alone(tmp_path: Path) -> None:
    write_triton_config(toy.publish(tmp_path, version=2))
    (tmp_path / "toy" / CONFIG_FILE).write_text("# the newest's\n")
    result = CliRunner().invoke(app, ["triton", str(toy.publish(tmp_path, version=1))])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "toy" / "1" / CONFIG_FILE).is_file()
    assert (tmp_path / "toy" / CONFIG_FILE).read_text() == "# the newest's\n"


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["triton", str(tmp_path)], env={"COLUMNS": "300"})
    assert result.exit_code == 2
    assert "model.json" in result.output
