"""The gated recurrent unit (arXiv 1406.1078), in the form that reset acts behind the product.


As a graph it is the runtime's own fused operator.
"""

from __future__ import annotations

from typing import Literal

import torch
from onnx import TensorProto
from torch import Tensor, nn

from larnn_export.families.builder import Pen
from larnn_export.families.config import (
    LongestMemory,
    NetworkConfig,
)
from larnn_export.families.family import Family
from larnn_export.families.loop import Tensors, over_time
from larnn_export.families.parts import at_length, log_times
from larnn_service.contract import StateTensor


class GRUConfig(NetworkConfig):
    """Of a stack of GRU layers."""

    family: Literal["gru"] = "gru"
    longest_memory: LongestMemory = 0


class GRULayer(nn.Module):
    """State in, state out: hidden. Parameters and gate order as `nn.GRUCell`."""

    def __init__(self, config: GRUConfig) -> None:
        super().__init__()
        self.config = config
        n = config.hidden_size
        self.linear_ih = nn.Linear(n, 3 * n)
        self.linear_hh = nn.Linear(n, 3 * n)
        with torch.no_grad():
            for gate in self.linear_hh.weight.split(n):
                nn.init.orthogonal_(gate)
            self.linear_ih.bias.zero_()
            self.linear_hh.bias.zero_()
            self.linear_ih.bias[n : 2 * n] = 1.0  # the update gate starts by keeping
            if config.longest_memory:
                self.linear_ih.bias[n : 2 * n] = log_times(n, config.longest_memory)

    def state_tensors(self) -> list[StateTensor]:
        n = self.config.hidden_size
        return [StateTensor(name="hidden", shape=(n,), dtype="float32", description="hidden state")]

    def forward(self, x: Tensor, state: Tensors, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """x [batch, steps, n] → hidden states [batch, steps, n] and the state after `lengths`."""

        def step(carry: Tensors, inputs: Tensors) -> tuple[Tensors, Tensors]:
            (hidden,) = carry
            r_x, z_x, n_x = inputs[0].chunk(3, dim=-1)
            r_h, z_h, n_h = self.linear_hh(hidden).chunk(3, dim=-1)
            r, z = (r_x + r_h).sigmoid(), (z_x + z_h).sigmoid()
            candidate = (n_x + r * n_h).tanh()
            hidden = (1 - z) * candidate + z * hidden
            return (hidden,), (hidden,)

        if lengths is None:
            return self._fast(x, state[0])
        (hiddens,) = over_time(step, state, (self.linear_ih(x),))
        return hiddens, (at_length(state[0], hiddens, lengths),)

    def _fast(self, x: Tensor, hidden: Tensor) -> tuple[Tensor, Tensors]:
        """The library's own loop."""
        linears = (self.linear_ih, self.linear_hh)
        weights = [*(each.weight for each in linears), *(each.bias for each in linears)]
        hiddens, after = torch.gru(
            x, hidden[None], weights, True, 1, 0.0, self.training, False, True
        )
        return hiddens, (after[0],)


def write_gru(
    pen: Pen, layer: GRULayer, x: str, state: dict[str, str], lengths: str
) -> tuple[str, dict[str, str]]:
    """x [batch, steps, n] → hidden states [batch, steps, n] and the next state by name."""
    biases = [_as_onnx(linear.bias) for linear in (layer.linear_ih, layer.linear_hh)]
    hiddens, hidden = pen.write_many(
        "GRU",
        2,
        pen.time_major(x),
        _as_onnx(layer.linear_ih.weight)[None],
        _as_onnx(layer.linear_hh.weight)[None],
        torch.cat(biases)[None],
        pen.write("Cast", lengths, to=TensorProto.INT32),
        pen.write("Unsqueeze", state["hidden"], [0]),
        hidden_size=layer.config.hidden_size,
        linear_before_reset=1,
    )
    # The operator gives zeros for a row without steps: its state stays what it was.
    moves = pen.write("Unsqueeze", pen.write("Greater", lengths, 0), [1])
    after = pen.write("Where", moves, pen.write("Squeeze", hidden, [0]), state["hidden"])
    return pen.time_major(pen.write("Squeeze", hiddens, [1])), {"hidden": after}


def _as_onnx(gates: Tensor) -> Tensor:
    """ONNX orders the gates z, r, n; torch r, z, n."""
    r, z, n = gates.chunk(3)
    return torch.cat([z, r, n])


FAMILY = Family(
    title="GRU",
    carries="hidden",
    source="[1406.1078](https://arxiv.org/abs/1406.1078)",
    preset=GRUConfig(hidden_size=73, layers=2, dropout=0.2, longest_memory=128),
    layer=GRULayer,
    write=write_gru,
    multiply_adds=lambda config: 6 * config.hidden_size**2,
)
