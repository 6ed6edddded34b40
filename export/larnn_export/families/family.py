"""What a family of recurrent layers is asked for, as one record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from torch import Tensor, nn

from larnn_export.families.builder import Pen
from larnn_export.families.config import NetworkConfig
from larnn_export.families.loop import Tensors
from larnn_service.contract import StateTensor

Config = TypeVar("Config", bound=NetworkConfig)
Layer = TypeVar("Layer", bound=nn.Module)


class RecurrentLayer(Protocol):
    """State in, state out."""

    def state_tensors(self) -> list[StateTensor]:
        """What a stream carries for this layer, in the order of the state below."""
        ...

    def __call__(self, x: Tensor, state: Tensors, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """x [batch, steps, n] → outputs [batch, steps, n] and the state after `lengths`."""
        ...


@dataclass(frozen=True)
class Family(Generic[Config, Layer]):
    """One family. Its name is that of its preset: in configurations and on the command line."""

    title: str
    """Its name on pages."""
    carries: str
    """What a stream carries for each layer, in words."""
    source: str
    """The paper it is from, in Markdown."""
    preset: Config
    """A network of about 66,000 parameters, like those of the others; its class has the fields
    that shape this family's layers."""
    layer: Callable[[Config], Layer]
    """Makes one layer: a `RecurrentLayer`."""
    write: Callable[[Pen, Layer, str, dict[str, str], str], tuple[str, dict[str, str]]]
    """Writes a layer as nodes, in evaluation mode: (pen, layer, x [batch, steps, n], state by name,
    lengths) → outputs [batch, steps, n] and the next state by name."""
    multiply_adds: Callable[[Config], int]
    """Of one row's step in one layer: products and sums over memory, not the activations."""
    operator: str | None = None
    """The domain of its native operator, where kernels/ has one."""
    step_by_step: bool = True
    """Whether steps run one after the other, so that the bits of a state do not depend on how a
    sequence is cut."""
    searched: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Values of its own fields that the search for a recipe tries."""

    @property
    def name(self) -> str:
        """In configurations, presets, manifests and results."""
        return self.preset.family

    @property
    def own_fields(self) -> set[str]:
        """The fields that shape its layers, beside those of every network."""
        return {*type(self.preset).model_fields} - {*NetworkConfig.model_fields}
