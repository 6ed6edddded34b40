"""What training minimises."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from larnn_export.carried import Chunk
from larnn_export.data.hapt import NO_ACTIVITY
from larnn_export.recipe import TrainConfig


def class_weights(labels: Tensor, classes: int) -> Tensor:
    """[classes]: all windows of one class weigh as much as those of any other, and one each on
    average."""
    counts = torch.bincount(labels, minlength=classes).clamp(min=1)
    return len(labels) / (classes * counts)


def sequence_loss(
    logits: Tensor, labels: Tensor, config: TrainConfig, weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy of logits [batch, steps, classes]: the last step's and the later steps'.

    `weights` [classes] say how much each class counts.
    """
    later = logits[:, min(config.loss_from_step, logits.shape[1] - 1) :]
    every = F.cross_entropy(
        later.flatten(0, 1),
        labels[:, None].expand(later.shape[:2]).flatten(),
        weights,
        label_smoothing=config.label_smoothing,
    )
    last = F.cross_entropy(logits[:, -1], labels, weights, label_smoothing=config.label_smoothing)
    return torch.lerp(every, last, config.last_step_weight)


def stream_loss(
    logits: Tensor, chunk: Chunk, config: TrainConfig, weights: Tensor | None = None
) -> Tensor:
    """Cross-entropy of streams' logits at each step that has an activity.

    A stream that begins with this chunk is not asked before `loss_from_step`. `weights` [classes]
    say how much each class counts.
    """
    labels = chunk.labels.clamp(min=NO_ACTIVITY)
    early = torch.arange(labels.shape[1]) < config.loss_from_step
    labels[chunk.fresh[:, None] & early] = NO_ACTIVITY
    total = F.cross_entropy(
        logits.flatten(0, 1),
        labels.flatten(),
        weights,
        ignore_index=NO_ACTIVITY,
        label_smoothing=config.label_smoothing,
        reduction="sum",
    )
    known = labels[labels != NO_ACTIVITY]
    count = len(known) if weights is None else weights[known].sum()
    return total / (float(count) or 1.0)
