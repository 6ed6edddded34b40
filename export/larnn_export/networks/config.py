"""The configuration that makes a network: validated here, kept in checkpoint and manifest."""

from __future__ import annotations

import math
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Family = Literal["larnn", "lstm", "bn-lstm", "gru", "rra", "mann", "attention"]
HEADS_DIVIDE = ("larnn", "attention")


class NetworkConfig(BaseModel):
    """Hyperparameters of a recurrent stack and its classifier.

    A family takes the fields it has a use for: its file says which. Those from `mode` on shape the
    LARNN alone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Family = "larnn"
    channels: int = Field(9, ge=1)
    vocabulary: int = Field(0, ge=0)
    """How many tokens there are, where the one channel holds tokens; 0 for measured values."""
    classes: int = Field(6, ge=1)
    hidden_size: int = Field(64, ge=1)
    layers: int = Field(2, ge=1)
    normalisation: Literal["layer", "batch", "none"] = "layer"
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    fine_scale: float = Field(0.0, ge=0.0)
    """Where not 0, asinh(channel / fine_scale) too: it tells small motions apart."""

    window_size: int = Field(16, ge=1)
    """k, the number of past states that attention sees."""
    heads: int = Field(8, ge=1)
    """Of attention; in a memory-augmented network those that read and write."""
    memory_slots: int = Field(16, ge=1)
    """Rows of an external memory."""
    memory_width: int = Field(32, ge=1)
    """Features of one of its rows."""
    longest_memory: int = Field(0, ge=0)
    """Where not 0, gates start so that cells keep for 1 to so many steps, each its own time (chrono
    initialisation, arXiv 1804.11188); else all for the same few."""
    coupled_gates: bool = False
    """i = 1 - f: a cell is a weighted mean of what it took in, and bounded."""
    mode: Literal["residual", "layer"] = "residual"
    """How attention enters the gates: Wx·x + Wh·h + Wa·a + b, or W[x, h, a] + b."""
    positional_encoding: bool = False
    """Concatenate an encoding of each slot's age to the past cell states."""
    activate_keys_values: bool = True
    """ELU and normalisation on keys and values."""
    zero_attention: bool = True
    """Start with Wa = 0, so that training begins from an LSTM."""

    @model_validator(mode="after")
    def _heads_fit(self) -> Self:
        if self.family in HEADS_DIVIDE and self.hidden_size % self.heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} must be a multiple of heads {self.heads}"
            )
        if self.vocabulary and self.channels != 1:
            raise ValueError(f"tokens come in 1 channel, not in {self.channels}")
        if self.family == "mann" and self.heads > self.memory_slots:
            raise ValueError(f"heads {self.heads} must be at most memory_slots {self.memory_slots}")
        return self

    @property
    def features(self) -> int:
        """What the input layer takes at each step."""
        return self.channels * (2 if self.fine_scale else 1)

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.heads

    @property
    def position_features(self) -> int:
        """2·⌈log2(4k)⌉ sines and cosines, or none."""
        return 2 * math.ceil(math.log2(4 * self.window_size)) if self.positional_encoding else 0
