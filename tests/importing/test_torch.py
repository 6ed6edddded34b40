"""Recurrent layers of torch, written by each of its two exporters, as people write them."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from larnn_export.importing import Options, import_graph
from larnn_service.backend.model_repository import load_model

BATCH_TIME, SECOND = {0: "batch", 1: "time"}, {1: "batch"}
Export = tuple[nn.Module, tuple[Any, ...], tuple[Any, ...], list[str], list[str]]


class Layers(nn.Module):
    """A GRU or an LSTM of two layers over a sequence."""

    def __init__(self, layer: type[nn.GRU] | type[nn.LSTM]) -> None:
        super().__init__()
        self.layer = layer(4, 8, num_layers=2, batch_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor, *state: torch.Tensor) -> tuple[torch.Tensor, ...]:
        answer, after = self.layer(x, state if len(state) > 1 else state[0])
        return self.head(answer), *(after if isinstance(after, tuple) else (after,))


class Cell(nn.Module):
    """A GRU of one step."""

    def __init__(self) -> None:
        super().__init__()
        self.cell, self.head = nn.GRUCell(4, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor, h: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        after = self.cell(x, h)
        return self.head(after), after


def _gru() -> Export:
    given = torch.zeros(2, 5, 4), torch.zeros(2, 2, 8)
    return Layers(nn.GRU), given, (BATCH_TIME, (SECOND,)), ["x", "h"], ["y", "hn"]


def _lstm() -> Export:
    given = torch.zeros(2, 5, 4), torch.zeros(2, 2, 8), torch.zeros(2, 2, 8)
    names = ["x", "h", "c"], ["y", "hn", "cn"]
    return Layers(nn.LSTM), given, (BATCH_TIME, (SECOND, SECOND)), *names


def _cell() -> Export:
    given = torch.zeros(2, 4), torch.zeros(2, 8)
    return Cell(), given, ({0: "batch"}, {0: "batch"}), ["x", "h"], ["y", "hn"]


def _fixed() -> Export:
    """One row, one step."""
    return Cell(), (torch.zeros(1, 4), torch.zeros(1, 8)), (), ["x", "h"], ["y", "hn"]


def _written(export: Export, dynamo: bool, file: Path) -> Path:
    module, given, dynamic, inputs, outputs = export
    shapes: dict[str, Any] = {}
    if dynamic and dynamo:
        shapes = {"dynamic_shapes": dynamic}
    elif dynamic:
        flat = [dynamic[0], *(dynamic[1] if isinstance(dynamic[1], tuple) else dynamic[1:])]
        shapes = {"dynamic_axes": dict(zip([*inputs, *outputs], [*flat, *flat], strict=True))}
    with warnings.catch_warnings():  # the older exporter warns that it is the older one
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            given,
            str(file),
            input_names=inputs,
            output_names=outputs,
            dynamo=dynamo,
            verbose=False,
            **shapes,
        )
    return file


@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "older exporter"])
@pytest.mark.parametrize("make", [_gru, _lstm, _cell, _fixed], ids=["GRU", "LSTM", "cell", "fixed"])
def test_what_torch_exports_answers_as_torch_does(make: Any, dynamo: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    export: Export = make()
    file = _written(export, dynamo, tmp_path / "net.onnx")
    imported = import_graph(file, Options(name="mine"), tmp_path / "models")
    model = load_model(imported.folder, "cpu")
    x = np.random.default_rng(0).normal(0, 1, (3, 9, 4)).astype(np.float32)
    state = {name: np.stack([array] * 3) for name, array in model.initial.items()}
    answers, _ = model.backend.run(x, np.array([9, 9, 9]), state)
    np.testing.assert_allclose(answers, _by_torch(export[0], x), atol=1e-5)


def _by_torch(module: nn.Module, x: np.ndarray[Any, Any]) -> Any:
    rows = torch.from_numpy(x)
    with torch.no_grad():
        if isinstance(module, Cell):
            hidden, answers = torch.zeros(len(x), 8), []
            for step in range(x.shape[1]):
                answer, hidden = module(rows[:, step], hidden)
                answers.append(answer)
            return torch.stack(answers, 1).numpy()
        assert isinstance(module, Layers)
        states = [torch.zeros(2, len(x), 8)] * (2 if isinstance(module.layer, nn.LSTM) else 1)
        return module(rows, *states)[0].numpy()
