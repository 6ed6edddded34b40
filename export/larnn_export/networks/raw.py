"""A classifier that takes a phone's raw channels: the filters of its training data in front."""

from __future__ import annotations

from torch import Tensor, nn

from larnn_export.families.config import NetworkConfig
from larnn_export.families.loop import Tensors
from larnn_export.families.parts import initial_tensors
from larnn_export.networks.phone_filters import PhoneFilters
from larnn_export.networks.stack import RecurrentClassifier
from larnn_service.contract import StateTensor


class RawClassifier(nn.Module):
    """State in, state out: the filters' tensors, then the network's."""

    def __init__(self, network: RecurrentClassifier) -> None:
        super().__init__()
        self.filters = PhoneFilters()
        self.network = network

    @property
    def config(self) -> NetworkConfig:
        return self.network.config

    def state_tensors(self) -> list[StateTensor]:
        return [*self.filters.state_tensors(), *self.network.state_tensors()]

    def initial_state(self, batch: int) -> Tensors:
        return initial_tensors(self.state_tensors(), batch, self.network.output.weight.device)

    def forward(
        self, x: Tensor, state: Tensors | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensors]:
        """x [batch, steps, 6] → logits [batch, steps, classes], each of the step before."""
        state = self.initial_state(len(x)) if state is None else state
        own = len(self.filters.state_tensors())
        channels, filtered = self.filters(x, state[:own], lengths)
        logits, moved = self.network(channels, state[own:], lengths)
        return logits, (*filtered, *moved)
