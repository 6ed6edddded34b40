"""Kinds of modules that are served: rows of the table in docs/own-network.md."""

from __future__ import annotations

import warnings

import torch
from torch import nn

from tests.parity.own_contracts import (
    GRU,
    HIDDEN,
    SUM,
    TOTAL,
    WAVES,
    Kind,
    contract,
    raw,
    state,
)
from tests.parity.own_modules import (
    Branch,
    Brief,
    CausalConvolution,
    Cells,
    Constant,
    Loudness,
    MeanSoFar,
    Policy,
    Reader,
    Recurrent,
    Ring,
    Several,
    Spectrum,
    Stateless,
    TwoLSTMs,
    by,
    spectrum,
)
from tests.parity.own_types import Half, Precise, SmallState


def _compiled() -> nn.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own parts that it imports
        compiled = torch.compile(Recurrent())
    assert isinstance(compiled, nn.Module)
    return compiled


SERVED = [
    Kind("LSTM of two layers, its state turned", TwoLSTMs, TwoLSTMs.contract),
    Kind("sum and count, the state int64 and of no axis", MeanSoFar, MeanSoFar.contract),
    Kind("cells in a loop of Python, with batch norm", Cells, GRU),
    Kind(
        "causal convolution, the last steps as state", CausalConvolution, CausalConvolution.contract
    ),
    Kind("attention over a ring of steps", Ring, Ring.contract),
    Kind("embedding of tokens, no tokenizer", Reader, contract(HIDDEN, tokens=20)),
    Kind("several outputs, of any task and type", Several, Several.contract),
    Kind("logits of -inf, masks", Policy, contract(TOTAL)),
    Kind("`torch.cond` with weights", Branch, SUM),
    Kind(
        "state of bool, int8 and float16",
        SmallState,
        contract(
            state("rose", 2, dtype="bool"),
            state("sign", 2, dtype="int8"),
            state("half", 2, dtype="float16"),
        ),
        options={"tolerance": 1e-2},
    ),
    Kind(
        "state of bfloat16, with a tolerance",
        Brief,
        contract(state("total", 2, dtype="bfloat16")),
        options={"tolerance": 1e-2},
    ),
    Kind("frame of samples", Loudness, Loudness.contract),
    Kind("`torch.compile`", _compiled, GRU),
    Kind(
        "float64 inside, a cell",
        lambda: Precise(Cells()),
        contract(state("hidden", 8, dtype="float64")),
    ),
    Kind("float16 inside, with a tolerance", Half, GRU, options={"tolerance": 1e-2}),
    Kind(
        "`rfft` of 160 samples, with a tolerance",
        Spectrum,
        spectrum(160),
        options={"tolerance": 1e-3},
    ),
    Kind(
        "`rfft` of 400 samples, with a tolerance",
        Spectrum,
        spectrum(400),
        options={"tolerance": 1e-2},
    ),
    Kind(
        "roots of what is never negative, with samples",
        by(lambda x, sums: sums.sqrt()),
        SUM,
        options={"samples": WAVES},
    ),
    Kind("no state", Stateless, contract()),
    Kind(
        "its input twice, its state unmoved",
        Constant,
        contract(TOTAL, outputs=[raw("first", 2), raw("second", 2)]),
    ),
]
