"""Kinds of modules that are refused in a sentence: rows of the table in docs/own-network.md."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from larnn_service.outputs import classes
from larnn_service.tensors import File
from tests.parity.own_contracts import (
    GRU,
    HIDDEN,
    SUM,
    TOTAL,
    WAVES,
    Answer,
    Kind,
    contract,
    raw,
    state,
)
from tests.parity.own_modules import (
    LayersFirst,
    MeanSoFar,
    Reader,
    Recurrent,
    Spectrum,
    by,
    spectrum,
)
from tests.parity.own_types import Precise


def _on(device: str) -> nn.Module:
    return Recurrent().to(device)


def _traced() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit is deprecated; people have such modules still
        traced = torch.jit.trace(Recurrent().eval(), (torch.zeros(2, 1, 2), torch.zeros(2, 8)))
    assert isinstance(traced, nn.Module)
    return traced


def _never(x: Tensor, sums: Tensor) -> Tensor:
    return -sums if x.abs().max() > 1000 else sums


class Remembers(nn.Module):
    """What it remembers is in itself."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Tensor, total: Tensor) -> Answer:
        self.calls += 1
        return x + self.calls, total


class InPlace(nn.Module):
    """Writes into its state."""

    def forward(self, x: Tensor, total: Tensor) -> Answer:
        answers = []
        for step in range(x.shape[1]):
            answers.append(total.add_(x[:, step]).clone())
        return torch.stack(answers, 1), total


class OneTensor(nn.Module):
    """Keeps its state to itself."""

    def forward(self, x: Tensor, hidden: Tensor) -> Tensor:
        return x


class Nested(nn.Module):
    """Its state as torch's LSTM gives it."""

    def forward(self, x: Tensor, hidden: Tensor, cell: Tensor) -> Any:
        return x, (hidden, cell)


REFUSED = [
    Kind(
        "state with its layers first",
        LayersFirst,
        contract(state("hidden", 2, 8)),
        r"does not take tensors \[7, 1, 2\], \[7, 2, 8\]: Expected hidden size .* batch first",
    ),
    Kind(
        "answers that depend on later steps",
        by(lambda x, sums: sums.flip(1)),
        SUM,
        "sum of a sequence differs by .* no later steps yet",
    ),
    Kind(
        "mean over the window",
        by(lambda x, sums: sums - x.mean(1, keepdim=True)),
        SUM,
        "no later steps yet",
    ),
    Kind(
        "past that is in no state",
        by(lambda x, sums: x.cumsum(1)),
        SUM,
        "what the module remembers must be in the state",
    ),
    Kind(
        "mean over the batch",
        by(lambda x, sums: sums - x.mean(0, keepdim=True)),
        SUM,
        "rows must not meet",
    ),
    Kind(
        "`squeeze` of a batch that may be one",
        by(lambda x, sums: sums[..., :1].squeeze()),
        contract(TOTAL, outputs=[raw("left")]),
        r"left is float32 \[\d+\], not float32 \[",
    ),
    Kind(
        "sampling",
        by(lambda x, sums: torch.distributions.Categorical(logits=sums).sample()),
        contract(TOTAL, outputs=[raw("action", dtype="int64")]),
        "draws random numbers.* the client draw",
    ),
    Kind(
        "dropout that is always on",
        by(lambda x, sums: F.dropout(sums, 0.1)),
        SUM,
        "no dropout in evaluation mode",
    ),
    Kind("memory in itself", Remembers, SUM, "when the module is called again"),
    Kind("state written in place", InPlace, SUM, r"writes into total.* total.clone\(\)"),
    Kind(
        "numbers that are not finite",
        by(lambda x, sums: sums.sqrt()),
        SUM,
        "sum is not finite for normal noise; samples=",
    ),
    Kind(
        "every class masked",
        by(lambda x, sums: torch.full((*x.shape[:2], 3), -torch.inf)),
        contract(TOTAL),
        "a mask of -inf must leave a class",
    ),
    Kind(
        "numbers that are not finite for zeros",
        by(lambda x, sums: sums.log()),
        SUM,
        "sum is not finite for zeros, which the service tries before",
        {"samples": WAVES},
    ),
    Kind(
        "one tensor alone",
        OneTensor,
        GRU,
        r"must give \(logits, next_hidden\), each a tensor",
    ),
    Kind(
        "state in a tuple of its own",
        Nested,
        contract(state("hidden", 8), state("cell", 8)),
        r"must give \(logits, next_hidden, next_cell\)",
    ),
    Kind(
        "other shape than the contract's",
        Recurrent,
        contract(HIDDEN, outputs=classes("AB")),
        r"logits is float32 \[7, 1, 3\], not float32 \[7, 1, 2\]",
    ),
    Kind(
        "other type than the contract's",
        MeanSoFar,
        contract(state("count", dtype="int64"), state("total", 2, dtype="int64")),
        r"next_total is float32 \[7, 2\], not int64 \[7, 2\]",
    ),
    Kind(
        "`.half()`",
        lambda: Recurrent().half(),
        GRU,
        r"its weights are float16 and steps come as float32: publish module.float\(\)",
    ),
    Kind(
        "`.double()`",
        lambda: Recurrent().double(),
        contract(state("hidden", 8, dtype="float64")),
        r"its weights are float64 and steps come as float32",
    ),
    Kind(
        "embedding of what the contract calls numbers",
        Reader,
        contract(HIDDEN, channels=1),
        r"where steps are tokens the contract has a vocabulary",
    ),
    Kind(
        "more tokens than the embedding has",
        Reader,
        contract(HIDDEN, tokens=21),
        "index out of range in self; x holds tokens from 0 to 20",
    ),
    Kind(
        "initial state from a file that is not given",
        Recurrent,
        contract(state("hidden", 8, initial=File(file="start.npy", sha256="0" * 64))),
        r"hidden: give what it begins with as initial=\{'hidden': …\}",
    ),
    Kind(
        "initial state of another shape",
        Recurrent,
        GRU,
        r"initial=\{'hidden': …\} is float64 \[4\], not \[8\]",
        {"initial": {"hidden": np.zeros(4)}},
    ),
    Kind(
        "initial state that is not finite",
        Recurrent,
        GRU,
        r"initial=\{'hidden': …\} has a number that is no finite float32",
        {"initial": {"hidden": np.full(8, np.inf)}},
    ),
    Kind(
        "initial state of what is none",
        Recurrent,
        GRU,
        r"initial=\{'cell': …\} is no state: the contract has hidden",
        {"initial": {"cell": np.zeros(8)}},
    ),
    Kind("another device", lambda: _on("meta"), GRU, r"is on meta: publish module.cpu\(\)"),
    Kind("TorchScript", _traced, GRU, "publish what it was made of"),
    Kind(
        "a Python `if` on numbers",
        by(_never),
        SUM,
        "torch cannot export the module: Could not guard on data-dependent expression",
    ),
    Kind(
        "operator that ONNX lacks",
        by(lambda x, sums: torch.linalg.svdvals(sums[..., None])),
        contract(TOTAL, outputs=[raw("values", 1)]),
        "torch cannot export the module: No ONNX function found for",
    ),
    Kind(
        "GRU in float64",
        lambda: Precise(Recurrent()),
        contract(state("hidden", 8, dtype="float64")),
        "onnxruntime cannot run the graph: GRU operator does not support double",
    ),
    Kind("`rfft` of 160 samples", Spectrum, spectrum(160), "differs by .* tolerance= allows"),
    Kind(
        "samples of other channels",
        Recurrent,
        GRU,
        r"samples\[1\] is an array \[30, 3\], not \[steps, 2\]",
        {"samples": [WAVES[0], np.zeros((30, 3))]},
    ),
    Kind(
        "samples that are not finite",
        Recurrent,
        GRU,
        "samples has numbers that are not finite",
        {"samples": np.full((5, 2), np.nan)},
    ),
    Kind(
        "samples that are no tokens",
        Reader,
        contract(HIDDEN, tokens=20),
        "samples must be tokens, whole numbers from 0 to 19",
        {"samples": [[20]]},
    ),
]
