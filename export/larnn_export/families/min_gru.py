"""The minimal GRU (minGRU, arXiv 2410.01201): gates that see the input alone, not the past.

z = σ(Wz·x + bz);  g = Wg·x + bg;  h' = (1 - z)⊙h + z⊙g;  output Wo·h'

The state is twice as wide as the layer, as in the paper's networks, and is projected back. Since
no gate reads the state, all products are outside the loop over time.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from larnn_export.families.builder import Pen
from larnn_export.families.config import LongestMemory, NetworkConfig
from larnn_export.families.family import Family
from larnn_export.families.loop import Tensors, over_time
from larnn_export.families.parts import at_length, log_times
from larnn_service.contract import StateTensor

EXPANSION = 2
"""Features of the state for each of the layer."""


class MinGRUConfig(NetworkConfig):
    """Of a stack of minGRU layers."""

    family: Literal["min-gru"] = "min-gru"
    longest_memory: LongestMemory = 0

    @property
    def state_size(self) -> int:
        """Features of a layer's state."""
        return EXPANSION * self.hidden_size


class MinGRULayer(nn.Module):
    """State in, state out: hidden."""

    def __init__(self, config: MinGRUConfig) -> None:
        super().__init__()
        self.config = config
        n, m = config.hidden_size, config.state_size
        self.linear_ih = nn.Linear(n, 2 * m)  # gate, candidate
        self.out_proj = nn.Linear(m, n)
        longest = config.longest_memory
        with torch.no_grad():
            keep = log_times(m, longest) if longest else torch.ones(m)
            self.linear_ih.bias[:m] = -keep  # the gate starts by keeping

    def state_tensors(self) -> list[StateTensor]:
        shape = (self.config.state_size,)
        return [
            StateTensor(name="hidden", shape=shape, dtype="float32", description="hidden state")
        ]

    def forward(self, x: Tensor, state: Tensors, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """x [batch, steps, n] → outputs [batch, steps, n] and the state after `lengths`."""

        def step(carry: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
            (hidden,), (gate, candidate) = carry, inputs
            hidden = hidden + gate * (candidate - hidden)
            return (hidden,), (hidden,)

        gate, candidate = self.linear_ih(x).chunk(2, dim=-1)
        (hiddens,) = over_time(step, state, (gate.sigmoid(), candidate))
        return self.out_proj(hiddens), (at_length(state[0], hiddens, lengths),)


def write_min_gru(
    pen: Pen, layer: MinGRULayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → outputs [batch, steps, n] and the next state by name."""
    from_x = pen.linear(x, layer.linear_ih.weight, layer.linear_ih.bias)
    gate, candidate = pen.write_many("Split", 2, from_x, axis=2, num_outputs=2)
    body = Pen(pen, prefix=f"{x}_step_")
    moved = body.write("Mul", "gate_t", body.write("Sub", "candidate_t", "h"))
    hidden = body.write("Add", "h", moved)
    scanned = [
        (pen.time_major(pen.write("Sigmoid", gate)), "gate_t"),
        (pen.time_major(candidate), "candidate_t"),
    ]
    [collected] = pen.scan(
        body,
        "min_gru_step",
        carried=[(state["hidden"], "h", hidden)],
        scanned=scanned,
        collected=[hidden],
    )
    hiddens = pen.time_major(collected)
    outputs = pen.linear(hiddens, layer.out_proj.weight, layer.out_proj.bias)
    return outputs, {"hidden": pen.at_length(state["hidden"], hiddens, lengths)}


FAMILY = Family(
    title="minGRU",
    carries="hidden, twice as wide as the layer",
    source="[2410.01201](https://arxiv.org/abs/2410.01201)",
    preset=MinGRUConfig(hidden_size=73, layers=2, dropout=0.2, longest_memory=128),
    layer=MinGRULayer,
    write=write_min_gru,
    multiply_adds=lambda config: 3 * EXPANSION * config.hidden_size**2,
)
