"""What training minimises."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from export.recipe import TrainConfig


def sequence_loss(logits: Tensor, labels: Tensor, config: TrainConfig) -> Tensor:
    """Cross-entropy of logits [batch, steps, classes]: the last step's and the later steps'."""
    later = logits[:, min(config.loss_from_step, logits.shape[1] - 1) :]
    every = F.cross_entropy(
        later.flatten(0, 1),
        labels[:, None].expand(later.shape[:2]).flatten(),
        label_smoothing=config.label_smoothing,
    )
    last = F.cross_entropy(logits[:, -1], labels, label_smoothing=config.label_smoothing)
    return torch.lerp(every, last, config.last_step_weight)
