"""How often the last step's logits name the right class."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Logits = Callable[[Tensor], Tensor]
"""Windows [windows, steps, channels] → logits [windows, steps, classes]."""

BATCH = 128


@torch.inference_mode()
def last_logits(logits: Logits, windows: Tensor) -> Tensor:
    """The last step's logits [windows, classes] of windows [windows, steps, channels]."""
    return torch.cat([logits(batch)[:, -1] for batch in windows.split(BATCH)])


def measure(network: Logits, windows: Tensor, labels: Tensor) -> tuple[float, float]:
    """Accuracy and cross-entropy of the last step's logits."""
    logits = last_logits(network, windows)
    accuracy = (logits.argmax(1) == labels).float().mean().item()
    return accuracy, F.cross_entropy(logits, labels).item()
