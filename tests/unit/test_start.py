"""How gates start."""

from __future__ import annotations

import math

import pytest
import torch

from larnn_export.families.parts import start_gates
from larnn_export.networks.stack import RecurrentClassifier
from tests import networks

LONGEST = 100


def test_cells_start_with_times_of_their_own() -> None:
    recurrent, bias = torch.empty(4 * 512, 512), torch.empty(4 * 512)
    start_gates(recurrent, bias, longest_memory=LONGEST)
    take, keep, candidate, out = bias.split(512)
    steps = 1 / (1 - keep.sigmoid())
    assert 1 < steps.min() < 0.1 * LONGEST and 0.9 * LONGEST < steps.max() <= LONGEST
    torch.testing.assert_close(take.sigmoid(), 1 - keep.sigmoid())
    assert not candidate.any() and not out.any()


GATED = ["larnn", "layer-mode", "coupled", "lstm", "bn-lstm", "gru", "rra", "mann"]


@pytest.mark.parametrize("name", GATED)
def test_every_gated_family_has_them(name: str) -> None:
    small = networks.config(name).model_copy(update={"longest_memory": LONGEST})
    keep_gate = slice(0, 8) if name == "coupled" else slice(8, 16)
    keeps = [
        parameter[keep_gate]
        for key, parameter in RecurrentClassifier(small).named_parameters()
        if parameter.shape in ((32,), (24,)) and "bias" in key and parameter.any()
    ]
    assert len(keeps) == small.layers
    for keep in keeps:
        assert 0 <= keep.min() < keep.max() <= math.log(LONGEST - 1)
