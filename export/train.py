"""Training: one pass over the windows after another, to the last epoch of the recipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from export import checkpoint
from export.accuracy import measure
from export.augment import augment
from export.data import DataError, Split
from export.loss import sequence_loss
from export.networks import NetworkConfig, RecurrentClassifier
from export.recipe import TrainConfig

Record = dict[str, Any]
OnBatch = Callable[[int, int, float], None]


class Trainer:
    """A network, its optimiser and moving average, and what an epoch left behind.

    No epoch is chosen: the moving average after the last one is the result. People held out by
    the configuration are measured after each epoch and change nothing.
    """

    def __init__(self, network: NetworkConfig, config: TrainConfig, data: Split, run: Path) -> None:
        """`data` holds all training subjects; DataError when those held out are not among them."""
        self.config, self.run, self.info = config, run, data.info
        train, held_out = _divided(data, config.held_out)
        self.windows, self.labels = torch.from_numpy(train.signals), torch.from_numpy(train.labels)
        self.shift, self.deviation = _statistics(train)
        self.held_out = (
            self._standardise(torch.from_numpy(held_out.signals)),
            torch.from_numpy(held_out.labels),
        )
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.network = RecurrentClassifier(network)
        self.average = RecurrentClassifier(network).eval().requires_grad_(False)
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.AdamW(
            _parameter_groups(self.network, config.weight_decay), lr=config.learning_rate
        )
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(
            self.optimiser,
            max_lr=config.learning_rate,
            total_steps=config.epochs * self.batches_per_epoch + 1,
            pct_start=max(config.warmup, 1e-6),
            cycle_momentum=False,
        )
        self.history: list[Record] = []

    @property
    def batches_per_epoch(self) -> int:
        return max(len(self.labels) // self.config.batch_size, 1)

    def fit(self, on_batch: OnBatch = lambda *_: None) -> Iterator[Record]:
        """Train what is left of the recipe, yielding each epoch's record."""
        while len(self.history) < self.config.epochs:
            started = time.perf_counter()
            record: Record = {"epoch": len(self.history) + 1, "loss": self._epoch(on_batch)}
            if len(self.held_out[1]):
                record["accuracy"], record["held_out_loss"] = measure(self.average, *self.held_out)
            record["seconds"] = round(time.perf_counter() - started, 1)
            self.history.append(record)
            yield record

    def save(self) -> None:
        """Write RUN/checkpoint.*: the average, with the standardisation in its input layer."""
        weights = checkpoint.fold_standardisation(
            self.average.state_dict(), self.shift, 1 / self.deviation
        )
        checkpoint.write(self.run, checkpoint.FINISHED, weights, self.record())

    def record(self) -> Record:
        """Both configurations, the data's meaning and scale, the history, as JSON takes them."""
        return {
            "network": self.network.config.model_dump(mode="json"),
            "training": self.config.model_dump(mode="json"),
            "data": self.info.model_dump(mode="json"),
            "scale": {"mean": self.shift.tolist(), "deviation": self.deviation.tolist()},
            "history": self.history,
        }

    def _epoch(self, on_batch: OnBatch) -> float:
        self.network.train()
        order = torch.randperm(len(self.labels), generator=self.generator)
        total = 0.0
        for index in range(self.batches_per_epoch):
            rows = order[index * self.config.batch_size :][: self.config.batch_size]
            total += self._update(self.windows[rows], self.labels[rows])
            on_batch(len(self.history) + 1, index + 1, total / (index + 1))
        return total / self.batches_per_epoch

    def _update(self, windows: Tensor, labels: Tensor) -> float:
        x = augment(windows, self.deviation, self.config, self.generator)
        logits, _ = self.network(self._standardise(x))
        loss = sequence_loss(logits, labels, self.config)
        self.optimiser.zero_grad(set_to_none=False)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        self.optimiser.step()
        self.schedule.step()
        self._follow()
        return loss.item()

    @torch.no_grad()
    def _follow(self) -> None:
        states = (self.average.state_dict().values(), self.network.state_dict().values())
        for average, new in zip(*states, strict=True):
            if average.is_floating_point():
                average.lerp_(new, 1 - self.config.ema_decay)
            else:
                average.copy_(new)

    def _standardise(self, x: Tensor) -> Tensor:
        return (x - self.shift) / self.deviation


def _divided(data: Split, held_out: tuple[int, ...]) -> tuple[Split, Split]:
    absent = set(held_out) - set(data.subjects.tolist())
    if absent:
        raise DataError(f"held_out {sorted(absent)} have no window in the data")
    train = data.without_subjects(held_out)
    if not len(train):
        raise DataError("held_out leaves nobody to train on")
    return train, data.of_subjects(held_out)


def _statistics(split: Split) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [channels] over all windows and steps."""
    signals = split.signals.reshape(-1, split.signals.shape[-1]).astype(np.float64)
    mean, deviation = signals.mean(0), signals.std(0).clip(min=1e-6)
    return torch.from_numpy(mean).float(), torch.from_numpy(deviation).float()


def _parameter_groups(network: RecurrentClassifier, weight_decay: float) -> list[Record]:
    """Matrices decay; biases and the parameters of norms do not."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
