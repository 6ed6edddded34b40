"""Training: one pass over the windows after another, the best epoch chosen on held-out people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from export import checkpoint
from export.augment import augment
from export.data.uci_har import DataError, Split
from export.networks import NetworkConfig, RecurrentClassifier
from export.recipe import TrainConfig

Record = dict[str, Any]
OnBatch = Callable[[int, int, float], None]
EVALUATION_BATCH = 128


class Trainer:
    """A network, its optimiser and moving average, and where they are kept.

    Everything that the next update depends on goes into `last.*` after each epoch, so a resumed
    run ends with the same bits as one that was never stopped.
    """

    def __init__(self, network: NetworkConfig, config: TrainConfig, data: Split, run: Path) -> None:
        """`data` holds all training subjects; DataError when those held out are not among them."""
        self.config, self.run = config, run
        absent = set(config.validation_subjects) - set(data.subjects.tolist())
        if absent:
            raise DataError(f"validation_subjects {sorted(absent)} have no window in the data")
        train = data.without_subjects(config.validation_subjects)
        validation = data.of_subjects(config.validation_subjects)
        if not len(train):
            raise DataError("validation_subjects leave nobody to train on")
        self.windows, self.labels = torch.from_numpy(train.signals), torch.from_numpy(train.labels)
        self.shift, self.deviation = _statistics(train)
        self.validation = (
            self._standardise(torch.from_numpy(validation.signals)),
            torch.from_numpy(validation.labels),
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

    @property
    def selected(self) -> Record:
        """The epoch with the best validation accuracy, the lower loss where they tie."""
        return max(self.history, key=lambda epoch: (epoch["accuracy"], -epoch["validation_loss"]))

    def fit(self, on_batch: OnBatch = lambda *_: None) -> Iterator[Record]:
        """Train to the end, yielding each epoch's record after it is on disk."""
        while len(self.history) < self.config.epochs:
            started = time.perf_counter()
            loss = self._epoch(on_batch)
            accuracy, validation_loss = measure(self.average, *self.validation)
            record = {
                "epoch": len(self.history) + 1,
                "loss": loss,
                "validation_loss": validation_loss,
                "accuracy": accuracy,
                "seconds": round(time.perf_counter() - started, 1),
            }
            self.history.append(record)
            if self.selected is record:
                self._save_selected()
            self._save_last()
            yield record
        self._save_selected_history()

    def _epoch(self, on_batch: OnBatch) -> float:
        self.network.train()
        order = torch.randperm(len(self.labels), generator=self.generator)
        total = 0.0
        for index in range(self.batches_per_epoch):
            rows = order[index * self.config.batch_size :][: self.config.batch_size]
            loss = self._update(self.windows[rows], self.labels[rows])
            total += loss
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
        with torch.no_grad():
            for mine, new in zip(
                self.average.state_dict().values(), self.network.state_dict().values(), strict=True
            ):
                if mine.is_floating_point():
                    mine.lerp_(new, 1 - self.config.ema_decay)
                else:
                    mine.copy_(new)
        return loss.item()

    def _standardise(self, x: Tensor) -> Tensor:
        return (x - self.shift) / self.deviation

    def _configurations(self) -> Record:
        return {
            "network": self.network.config.model_dump(mode="json"),
            "training": self.config.model_dump(mode="json"),
            "history": self.history,
            "selected_epoch": self.selected["epoch"],
            "validation_accuracy": self.selected["accuracy"],
        }

    def _save_selected(self) -> None:
        weights = checkpoint.fold_standardisation(
            self.average.state_dict(), self.shift, 1 / self.deviation
        )
        checkpoint.write(self.run, checkpoint.SELECTED, weights, self._configurations())

    def _save_selected_history(self) -> None:
        weights, _ = checkpoint.read(self.run, checkpoint.SELECTED)
        checkpoint.write(self.run, checkpoint.SELECTED, weights, self._configurations())

    def _save_last(self) -> None:
        tensors = {
            **{f"network.{key}": value for key, value in self.network.state_dict().items()},
            **{f"average.{key}": value for key, value in self.average.state_dict().items()},
            "random.order_and_augmentation": self.generator.get_state(),
            "random.dropout": torch.get_rng_state(),
        }
        state = self.optimiser.state_dict()
        for index, moments in state["state"].items():
            tensors |= {f"optimiser.{index}.{key}": value for key, value in moments.items()}
        notes = {
            "optimiser_groups": state["param_groups"],
            "schedule": {
                key: value
                for key, value in self.schedule.state_dict().items()
                if isinstance(value, int | float | str | list | bool)
            },
        }
        checkpoint.write(self.run, checkpoint.LAST, tensors, self._configurations() | notes)

    def resume(self) -> None:
        """Go on from run/last.*; CheckpointError when it is of another configuration."""
        tensors, record = checkpoint.read(self.run, checkpoint.LAST)
        for key in ("network", "training"):
            if record[key] != self._configurations_of(key):
                raise checkpoint.CheckpointError(
                    f"{self.run} was trained with another {key} configuration: {record[key]}"
                )
        self.network.load_state_dict(_under("network.", tensors))
        self.average.load_state_dict(_under("average.", tensors))
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in _under("optimiser.", tensors).items():
            index, key = name.split(".")
            state.setdefault(int(index), {})[key] = tensor
        self.optimiser.load_state_dict({"state": state, "param_groups": record["optimiser_groups"]})
        self.schedule.load_state_dict(record["schedule"])
        self.generator.set_state(tensors["random.order_and_augmentation"])
        torch.set_rng_state(tensors["random.dropout"])
        self.history = record["history"]

    def _configurations_of(self, key: str) -> Record:
        model = self.network.config if key == "network" else self.config
        return model.model_dump(mode="json")


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


@torch.no_grad()
def last_logits(network: RecurrentClassifier, windows: Tensor) -> Tensor:
    """The last step's logits [windows, classes] of windows [windows, steps, channels]."""
    batches = windows.split(EVALUATION_BATCH)
    return torch.cat([network(batch)[0][:, -1] for batch in batches])


def measure(network: RecurrentClassifier, windows: Tensor, labels: Tensor) -> tuple[float, float]:
    """Accuracy and cross-entropy of the last step's logits."""
    logits = last_logits(network, windows)
    accuracy = (logits.argmax(1) == labels).float().mean().item()
    return accuracy, F.cross_entropy(logits, labels).item()


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


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
