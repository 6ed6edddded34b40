"""The fields that shape a LARNN."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from larnn_export.families.config import HeadsConfig, LongestMemory, Normalisation


class LARNNConfig(HeadsConfig):
    """Of a stack of LARNN layers."""

    family: Literal["larnn"] = "larnn"
    normalisation: Normalisation = "layer"
    mode: Literal["residual", "layer"] = "residual"
    """How attention enters the gates: Wx·x + Wh·h + Wa·a + b, or W[x, h, a] + b."""
    positional_encoding: bool = False
    """Concatenate an encoding of each slot's age to the past cell states."""
    activate_keys_values: bool = True
    """ELU and normalisation on keys and values."""
    zero_attention: bool = True
    """Start with Wa = 0, so that training begins from an LSTM."""
    longest_memory: LongestMemory = 0
    coupled_gates: bool = False
    """i = 1 - f: a cell is a weighted mean of what it took in, and bounded."""

    @property
    def position_features(self) -> int:
        """2·⌈log2(4k)⌉ sines and cosines, or none."""
        return 2 * math.ceil(math.log2(4 * self.window_size)) if self.positional_encoding else 0


def heads_innermost(config: LARNNConfig) -> Tensor:
    """[n]: the features of a key or a value as the state has them.

    Feature j of head h stands at j·heads + h, so that one vector instruction serves many heads.
    """
    return torch.arange(config.hidden_size).view(config.heads, -1).T.flatten()
