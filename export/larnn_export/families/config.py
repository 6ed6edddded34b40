"""What every network's configuration holds: validated here, kept in checkpoint and manifest."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

WindowSize = Annotated[int, Field(ge=1)]
"""k, the number of past states that attention sees."""
Heads = Annotated[int, Field(ge=1)]
LongestMemory = Annotated[int, Field(ge=0)]
"""Where not 0, gates start so that cells keep for 1 to so many steps, each its own time (chrono
initialisation, arXiv 1804.11188); else all for the same few."""
Normalisation = Literal["layer", "batch", "none"]


class NetworkConfig(BaseModel):
    """Hyperparameters of a recurrent stack and its classifier.

    A family's own class adds its name and the fields that shape its layers, with their errors.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: str
    channels: int = Field(9, ge=1)
    vocabulary: int = Field(0, ge=0)
    """How many tokens there are, where the one channel holds tokens; 0 for measured values."""
    classes: int = Field(6, ge=1)
    hidden_size: int = Field(64, ge=1)
    layers: int = Field(2, ge=1)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)
    fine_scale: float = Field(0.0, ge=0.0)
    """Where not 0, asinh(channel / fine_scale) too: it tells small motions apart."""

    @model_validator(mode="after")
    def _tokens_come_in_one_channel(self) -> Self:
        if self.vocabulary and self.channels != 1:
            raise ValueError(f"tokens come in 1 channel, not in {self.channels}")
        return self

    def in_use(self) -> dict[str, Any]:
        """Its fields; a size of 0 is off and left out."""
        fields = self.model_dump()
        return {name: value for name, value in fields.items() if value is False or value != 0}

    @property
    def features(self) -> int:
        """What the input layer takes at each step."""
        return self.channels * (2 if self.fine_scale else 1)


class HeadsConfig(NetworkConfig):
    """Of a family whose attention divides the features of its states among heads."""

    window_size: WindowSize = 16
    heads: Heads = 8

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        if self.hidden_size % self.heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} must be a multiple of heads {self.heads}"
            )
        return self

    @property
    def head_size(self) -> int:
        """d, the features of one head."""
        return self.hidden_size // self.heads
