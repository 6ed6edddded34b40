"""The recurrent stack and the classifier around it: the same for every family of layer."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from larnn_export.families import FAMILIES, NetworkConfig
from larnn_export.families.loop import Tensors
from larnn_export.families.parts import initial_tensors
from larnn_service.contract import StateTensor


class Channels(nn.Linear):
    """Measured values [..., channels] → [..., n]: linear, then ELU."""

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(super().forward(input))


class Tokens(nn.Embedding):
    """Tokens int64 [..., 1] → [..., n]: a learned vector each."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input[..., 0])


def _input(config: NetworkConfig) -> nn.Module:
    if config.vocabulary:
        return Tokens(config.vocabulary, config.hidden_size)
    return Channels(config.features, config.hidden_size)


class RecurrentClassifier(nn.Module):
    """An input layer, L layers stacked with residual sums, output linear.

    State in, state out: the state is a tuple of tensors in the order of `state_tensors()`.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.input = _input(config)
        family = FAMILIES[config.family]
        self.layers = nn.ModuleList([family.layer(config) for _ in range(config.layers)])
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(config.hidden_size, config.classes)

    def state_tensors(self) -> list[StateTensor]:
        """Every layer's state tensors, named NAME_LAYER, layers counted from 0."""
        return [
            tensor.model_copy(
                update={
                    "name": f"{tensor.name}_{index}",
                    "description": f"layer {index}: {tensor.description}",
                }
            )
            for index, layer in enumerate(self.layers)
            for tensor in layer.state_tensors()  # type: ignore[operator]
        ]

    def initial_state(self, batch: int) -> Tensors:
        """The state before the first step, each tensor [batch, *shape]."""
        return initial_tensors(self.state_tensors(), batch, self.output.weight.device)

    def forward(
        self, x: Tensor, state: Tensors | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensors]:
        """x [batch, steps, channels] → logits [batch, steps, classes] and the next state.

        Tokens are int64. `lengths` [batch] int64 counts each row's valid steps: there its
        state stops moving.
        """
        return self.from_features(self.features(x), state, lengths)

    def features(self, x: Tensor) -> Tensor:
        """What the input layer takes: the channels, and on a fine scale their logarithms."""
        scale = self.config.fine_scale
        return torch.cat([x, torch.asinh(x / scale)], dim=-1) if scale else x

    def from_features(
        self, x: Tensor, state: Tensors | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensors]:
        """As `forward`, of features [batch, steps, features]."""
        state = self.initial_state(len(x)) if state is None else state
        next_state: list[Tensor] = []
        per_layer = len(state) // len(self.layers)
        z = self.input(x)
        for index, layer in enumerate(self.layers):
            mine = state[index * per_layer : (index + 1) * per_layer]
            output, moved = layer(z, mine, lengths)
            z = z + self.dropout(output)
            next_state.extend(moved)
        return self.output(z), tuple(next_state)
