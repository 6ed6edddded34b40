"""How unlike its training each step is, beside the answers of a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from larnn_export.families.config import NetworkConfig
from larnn_export.families.loop import Tensors
from larnn_export.families.parts import at_length, initial_tensors
from larnn_export.novelty.score import MOST, Score
from larnn_export.novelty.statistics import FLOOR, LARGEST, decay
from larnn_service.contract import StateTensor

if TYPE_CHECKING:
    from larnn_export.networks import Plain

NOVELTY = "novelty"
MOMENTS, MEMORY = "novelty_moments", "novelty_memory"


class Novelty(nn.Module):
    """The score, step by step. Moments are float64: they are subtracted from each other.

    Moments, of all time constants: the weights, the means of channels, those of their squares, and
    those of their products.
    """

    first: Tensor  # [1 + channels, moments]
    second: Tensor
    decays: Tensor  # [scales]
    scale: Tensor  # [moments]
    kept: Tensor  # [1]
    each: Tensor  # [scales, features]
    one: Tensor  # [means, variances and covariances]
    other: Tensor
    halves: Tensor  # [variances, covariances]
    shift: Tensor  # [channels]
    deviation: Tensor
    whitening: Tensor  # [features, features]
    origin: Tensor  # [features]
    points: Tensor  # [prototypes, features]

    def __init__(self, score: Score) -> None:
        super().__init__()
        statistics, prototypes = score.statistics, score.prototypes
        scales, channels = len(statistics.seconds), statistics.channels
        one, other = statistics.pairs
        self.scales, self.channels = scales, channels
        self.remembers = score.memory_seconds > 0
        kept = decay(score.memory_seconds, statistics.rate_hz) if self.remembers else 1.0

        def constant(name: str, value: np.ndarray, dtype: torch.dtype) -> None:
            self.register_buffer(name, torch.from_numpy(value).to(dtype), persistent=False)

        # The samples with a one before them, times one and the other, are what is averaged.
        first = np.concatenate([np.zeros(1 + channels, int), 1 + one])
        second = np.concatenate([[0], 1 + np.arange(channels), 1 + other])
        order = self._order(np.arange(len(first)), len(first))
        scale = np.repeat(np.arange(scales), len(first))[order]
        moment = np.tile(np.arange(len(first)), scales)[order]
        identity = np.eye(1 + channels)
        constant(
            "first", identity[:, first[moment]] * (1 - statistics.decays[scale]), torch.float64
        )
        constant("second", identity[:, second[moment]], torch.float64)
        constant("decays", statistics.decays, torch.float64)
        constant("scale", scale, torch.int64)
        constant("kept", np.array([kept]), torch.float64)
        means, pairs = scales * channels, scales * (1 + channels)
        mean_of = scale[pairs:] * channels
        pair = moment[pairs:] - 1 - channels
        one, other = mean_of + one[pair], mean_of + other[pair]
        every = np.eye(means)
        constant("each", np.eye(scales)[:, scale[scales:]], torch.float64)
        constant("one", every[:, one], torch.float64)
        constant("other", every[:, other], torch.float64)
        constant("halves", -0.5 * (every[:, one] + every[:, other])[:, means:], torch.float32)
        constant("shift", statistics.shift, torch.float64)
        constant("deviation", statistics.deviation, torch.float64)
        constant("whitening", prototypes.whitening, torch.float32)
        constant("origin", prototypes.origin, torch.float32)
        constant("points", prototypes.points, torch.float32)

    def _order(self, moments: np.ndarray, count: int) -> np.ndarray:
        """Where the moments of all scales, one scale behind the other, are once sorted by kind."""
        bounds = [0, 1, 1 + self.channels, 1 + 2 * self.channels, count]
        return np.concatenate(
            [
                scale * count + moments[start:end]
                for start, end in zip(bounds, bounds[1:], strict=False)
                for scale in range(self.scales)
            ]
        )

    def state_tensors(self) -> list[StateTensor]:
        """The moments, and where there is a memory what is remembered and its weight."""
        moments = StateTensor(
            name=MOMENTS,
            shape=(len(self.scale),),
            dtype="float64",
            description="exponential sums of the standardised channels and of their products",
        )
        memory = StateTensor(
            name=MEMORY,
            shape=(2,),
            dtype="float64",
            description="exponential sum of how unlike training the steps were, and its weight",
        )
        return [moments, memory] if self.remembers else [moments]

    def forward(self, x: Tensor, state: Tensors, lengths: Tensor | None) -> tuple[Tensor, Tensors]:
        """x [batch, steps, channels] → novelty [batch, steps, 1] and the state after `lengths`."""
        samples = ((x.double() - self.shift) / self.deviation).clamp(-LARGEST, LARGEST)
        whole = torch.cat([torch.ones_like(samples[..., :1]), samples], dim=-1)
        entered = (whole @ self.first) * (whole @ self.second)
        moments = _sums(state[0], entered, self.decays[self.scale])
        after = [at_length(state[0], moments, lengths)]
        novelty = self._distance(self._features(moments))
        if self.remembers:
            entered = torch.cat([novelty.clamp(max=MOST), torch.ones_like(novelty)], dim=-1)
            sums = _sums(state[1], entered.double() * (1 - self.kept), self.kept)
            after.append(at_length(state[1], sums, lengths))
            novelty = (novelty + (sums[..., :1] / sums[..., 1:]).float()) / 2
        return novelty, tuple(after)

    def _features(self, moments: Tensor) -> Tensor:
        weights, sums = moments.tensor_split([self.scales], dim=-1)
        seen = sums * (weights.reciprocal() @ self.each)
        means = self.scales * self.channels
        mean, products = seen.tensor_split([means], dim=-1)
        centred = (products - (mean @ self.one) * (mean @ self.other)).float()
        variances, covariances = centred.tensor_split([means], dim=-1)
        logarithms = variances.clamp(min=FLOOR**2).log()
        correlations = covariances * (logarithms @ self.halves).exp()
        return torch.cat([mean.float(), logarithms, correlations], dim=-1)

    def _distance(self, features: Tensor) -> Tensor:
        places = features @ self.whitening - self.origin
        points = self.points
        nearest = (places @ (-2 * points.T) + points.square().sum(1)).amin(dim=-1, keepdim=True)
        return (places.square().sum(-1, keepdim=True) + nearest).clamp(min=0).sqrt()


def _sums(before: Tensor, entered: Tensor, kept: Tensor) -> Tensor:
    """Exponential sums [batch, steps, n] of [batch, steps, n], from [batch, n] on; `kept` [n] of
    each step. No loop: what entered is weighed up, added up, and weighed down.

    What is large in the sum is new, so nothing is lost by it; float64 holds it for 700 time
    constants at a time.
    """
    steps = torch.arange(1, entered.shape[1] + 1, dtype=torch.float64)[:, None]
    left = (steps * kept.log()).exp()
    return ((entered / left).cumsum(1) + before[:, None]) * left


class WithNovelty(nn.Module):
    """A classifier that tells how unlike its training each step is."""

    def __init__(self, network: Plain, score: Score) -> None:
        super().__init__()
        self.network, self.novelty = network, Novelty(score)

    @property
    def config(self) -> NetworkConfig:
        return self.network.config

    def state_tensors(self) -> list[StateTensor]:
        return [*self.network.state_tensors(), *self.novelty.state_tensors()]

    def initial_state(self, batch: int) -> Tensors:
        return initial_tensors(self.state_tensors(), batch, self.novelty.points.device)

    def forward(
        self, x: Tensor, state: Tensors, lengths: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensors]:
        """x [batch, steps, channels] → logits, novelty [batch, steps, 1], and the next state."""
        own = len(self.network.state_tensors())
        logits, moved = self.network(x, state[:own], lengths)
        novelty, remembered = self.novelty(x, state[own:], lengths)
        return logits, novelty, (*moved, *remembered)
