"""How gates start."""

from __future__ import annotations

import pytest
import torch

from larnn_export.families import FAMILIES, NetworkConfig, configure
from larnn_export.families.parts import start_gates
from tests import networks

LONGEST = 100
DIFFERENCE = 0.01


def test_cells_start_with_times_of_their_own() -> None:
    recurrent, bias = torch.empty(4 * 512, 512), torch.empty(4 * 512)
    start_gates(recurrent, bias, longest_memory=LONGEST)
    take, keep, candidate, out = bias.split(512)
    steps = 1 / (1 - keep.sigmoid())
    assert 1 < steps.min() < 0.1 * LONGEST and 0.9 * LONGEST < steps.max() <= LONGEST
    torch.testing.assert_close(take.sigmoid(), 1 - keep.sigmoid())
    assert not candidate.any() and not out.any()


GATED = [
    *(name for name, family in FAMILIES.items() if "longest_memory" in family.own_fields),
    "layer-mode",
    "coupled",
]
"""Every family whose cells may be told how long to keep, and the LARNN's forms."""


@pytest.mark.parametrize("name", GATED)
def test_cells_that_shall_keep_for_long_do(name: str) -> None:
    small = configure({**networks.config(name).model_dump(), "normalisation": "none"})
    long = small.model_copy(update={"longest_memory": LONGEST})
    assert _kept(small) < 0.01 and 0.3 < _kept(long) < 0.9


def _kept(config: NetworkConfig) -> float:
    """How much of a difference in a layer's cells is left after twenty steps, by biases alone."""
    torch.manual_seed(0)
    layer = FAMILIES[config.family].layer(config).eval().requires_grad_(False)
    for parameter in layer.parameters():
        if parameter.dim() > 1:
            parameter.zero_()
    tensors = layer.state_tensors()
    names = [tensor.name for tensor in tensors]
    cells = names.index("cell" if "cell" in names else "hidden")
    state = [torch.from_numpy(tensor.initial_array(1)) for tensor in tensors]
    other = [*state]
    other[cells] = state[cells] + DIFFERENCE
    silence = torch.zeros(1, 20, config.hidden_size)
    after, of_other = (layer(silence, tuple(each), None)[1][cells] for each in (state, other))
    return float((of_other - after).abs().mean()) / DIFFERENCE
