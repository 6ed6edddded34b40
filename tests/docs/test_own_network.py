"""docs/own-network.md: from an empty folder to a stream, by its blocks alone."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import nn

from larnn_export.own_network import publish_module
from larnn_service.contract import Channel, Contract, GraphFile, Input, Manifest, StateTensor
from larnn_service.outputs import Output, Task
from larnn_service.tensors import ContextTensor
from tests import live
from tests.docs import page
from tests.docs.example import run

PAGE = page.read("own-network.md")
QUANTITIES = (Channel(name="speed", unit="m/s"),)


def test_it_is_trained_exported_served_and_streamed(tmp_path: Path) -> None:
    train, stream = [block.text for block in page.blocks(PAGE) if block.language == "python"]
    assert run(["-c", train], tmp_path) == "models/waves/1\n"
    [serve] = [block.text for block in page.blocks(PAGE) if block.language == "sh"]
    command = serve.replace("larnn", "cli").replace(
        "--models models", f"--models {tmp_path}/models"
    )
    with live.process(command) as service:
        program = stream.replace("http://localhost:8000", service.url)
        lines = run(["-c", program], tmp_path).splitlines()
    assert lines[-1] == "100 FAST"
    assert len(lines) == 10


def test_outputs_are_such_as_a_contract_takes() -> None:
    block, _ = [block.text for block in page.blocks(PAGE) if block.language == "py"]
    given: dict[str, tuple[Output, ...]] = {}
    exec(block, {"Output": Output, "Channel": Channel}, given)
    contract = Contract(input=Input(channels=QUANTITIES), sample_rate_hz=None, state=(), **given)
    assert contract.columns == 3


def test_what_is_told_once_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, block = [block.text for block in page.blocks(PAGE) if block.language == "py"]
    monkeypatch.chdir(tmp_path)
    names = (Channel, Contract, ContextTensor, Input, Output, StateTensor)
    known = {name.__name__: name for name in names}
    exec(block, known | {"torch": torch, "nn": nn, "publish_module": publish_module})
    manifest = Manifest.model_validate_json((tmp_path / "models/pump/1/model.json").read_text())
    assert manifest.metrics["compared"]["on"] == "normal noise, with kind of 3 values"


def test_every_task_is_told() -> None:
    for task in get_args(Task):
        assert f"| `{task}` |" in PAGE


def test_every_field_of_a_manifest_is_told() -> None:
    contract = [f"contract.{name}" for name in Contract.model_fields]
    graph, state = GraphFile.model_fields, StateTensor.model_fields
    for name in [*Manifest.model_fields, *contract, *graph, *state]:
        assert f"`{name}`" in PAGE or name == "contract", name
