"""How sure the published network is: its temperature (arXiv 1706.04599), in its output layer."""

from __future__ import annotations

from pathlib import Path

import torch

from larnn_export import checkpoint
from larnn_export.networks import RecurrentClassifier
from larnn_export.stream_evaluation import STREAMS_FILE


def temperature_of(run: Path) -> float:
    """Chosen by `python -m export streams RUN --folds FOLDS`; else 1.

    Raises CheckpointError where it was chosen for other weights.
    """
    streams = checkpoint.figures(run, STREAMS_FILE) or {}
    return streams.get("temperature") or 1.0


def calibrate(network: RecurrentClassifier, temperature: float) -> RecurrentClassifier:
    """The network, its logits divided by the temperature from now on; its labels stay."""
    with torch.no_grad():
        for parameter in network.output.parameters():
            parameter.div_(temperature)
    return network
