"""The floor that training must beat: the memory as initialised, its output layer alone fitted.

A recurrent network with random weights still remembers (an echo state network); a linear readout
of its state shows how much of a score is earned by training the memory. Minutes, on any machine.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from export import checkpoint
from export.data.uci_har import Split
from export.graph import build_graph
from export.networks import NetworkConfig, RecurrentClassifier
from export.publish import contract_of
from export.recipe import VALIDATION_SUBJECTS
from service.contract import INPUT, LENGTHS, LOGITS

WEIGHT_DECAYS = (1e-4, 1e-3, 1e-2)
BATCH = 64
EARLIEST = 64
"""Fitted at the last step and at this one: a stream is asked at any step."""


def fit_readout(config: NetworkConfig, seed: int, train: Split, run: Path) -> float:
    """Write RUN/checkpoint.* and return the accuracy on the held-out training subjects.

    They also choose the weight decay.
    """
    torch.manual_seed(seed)
    network = RecurrentClassifier(config).eval()
    signals = train.signals.reshape(-1, config.channels)
    shift, scale = torch.from_numpy(signals.mean(0)), torch.from_numpy(1 / signals.std(0))
    network.load_state_dict(checkpoint.fold_standardisation(network.state_dict(), shift, scale))
    features = torch.from_numpy(_last_states(network, train.signals))
    held_out = torch.from_numpy(np.isin(train.subjects, VALIDATION_SUBJECTS))
    labels = torch.from_numpy(train.labels)
    best = -1.0
    for decay in WEIGHT_DECAYS:
        weight, bias = _logistic_regression(
            features[~held_out], labels[~held_out], config.classes, decay
        )
        predicted = F.linear(features[held_out, -1], weight, bias).argmax(1)
        accuracy = (predicted == labels[held_out]).float().mean().item()
        if accuracy > best:
            best, chosen = accuracy, decay
            with torch.no_grad():
                network.output.weight.copy_(weight)
                network.output.bias.copy_(bias)
    record = {
        "network": config.model_dump(mode="json"),
        "readout": {"seed": seed, "weight_decay": chosen, "held_out": VALIDATION_SUBJECTS},
        "validation_accuracy": best,
    }
    checkpoint.write(run, checkpoint.SELECTED, network.state_dict(), record)
    return best


def _last_states(network: RecurrentClassifier, signals: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the output layer sees at EARLIEST and at the last step: [windows, 2, n].

    By the exported graph with an output layer that changes nothing: much faster than in torch.
    """
    n = network.config.hidden_size
    bare = RecurrentClassifier(network.config.model_copy(update={"classes": n})).eval()
    weights = network.state_dict() | {"output.weight": torch.eye(n), "output.bias": torch.zeros(n)}
    bare.load_state_dict(weights)
    contract = contract_of(bare, tuple(f"feature_{index}" for index in range(n)))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        build_graph(bare, contract).SerializeToString(), options, ["CPUExecutionProvider"]
    )
    found = []
    for start in range(0, len(signals), BATCH):
        x = signals[start : start + BATCH]
        state = {tensor.name: tensor.initial_array(len(x)) for tensor in contract.state}
        lengths = np.full(len(x), x.shape[1], dtype=np.int64)
        states = session.run([LOGITS], {INPUT: x, LENGTHS: lengths, **state})[0]
        found.append(states[:, [EARLIEST - 1, -1]])
    return np.concatenate(found)


def _logistic_regression(
    features: Tensor, labels: Tensor, classes: int, decay: float
) -> tuple[Tensor, Tensor]:
    """Weight [classes, n] and bias [classes] that minimise cross-entropy plus decay·|weight|²."""
    flat, wanted = features.flatten(0, 1), labels.repeat_interleave(features.shape[1])
    mean, deviation = flat.mean(0), flat.std(0) + 1e-6
    flat = (flat - mean) / deviation
    weight = torch.zeros(classes, flat.shape[1], requires_grad=True)
    bias = torch.zeros(classes, requires_grad=True)
    optimiser = torch.optim.LBFGS([weight, bias], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimiser.zero_grad()
        loss = F.cross_entropy(F.linear(flat, weight, bias), wanted) + decay * (weight**2).sum()
        loss.backward()
        return loss

    optimiser.step(closure)
    scaled = (weight / deviation).detach()
    return scaled, (bias - scaled @ mean).detach()
