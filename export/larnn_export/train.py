"""Training: one pass over the windows after another, to the last epoch of the recipe."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from larnn_export import checkpoint
from larnn_export.accuracy import measure
from larnn_export.augment import augment, sensor_frames
from larnn_export.carried import CarriedStreams, Labelled
from larnn_export.data import DataError, Split
from larnn_export.families import configure
from larnn_export.loss import class_weights, sequence_loss, stream_loss
from larnn_export.networks import NetworkConfig, RecurrentClassifier
from larnn_export.recipe import TrainConfig

Record = dict[str, Any]
OnBatch = Callable[[int, int, float], None]


class Trainer:
    """A network, its optimiser and moving average, and what an epoch left behind.

    No epoch is chosen: the moving average after the last one is the result. People held out by
    the configuration are measured after each epoch and change nothing.
    """

    def __init__(
        self,
        network: NetworkConfig,
        config: TrainConfig,
        data: Split,
        run: Path,
        recordings: Sequence[Labelled] = (),
    ) -> None:
        """`data` holds all training subjects; DataError when those held out are not among them.

        Of `recordings`, which streams need, those of the people trained on are used.
        """
        self.config, self.run, self.info = config, run, data.info
        train, held_out = _divided(data, config.held_out)
        self.windows, self.labels = torch.from_numpy(train.signals), torch.from_numpy(train.labels)
        self.mean, self.deviation = _statistics(self.windows)
        classes = len(data.info.labels)
        self.weights = class_weights(self.labels, classes) if config.balanced else None
        self.held_out = torch.from_numpy(held_out.signals), torch.from_numpy(held_out.labels)
        self.trained_on = sorted({*train.subjects.tolist()})
        self.recordings = [r for r in recordings if r.subject in self.trained_on]
        torch.set_num_threads(config.threads)
        torch.manual_seed(config.seed)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.network = RecurrentClassifier(network)
        self.shift, self.scale = _statistics(self.network.features(self.windows))
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
        self.started_from: str | None = None
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
                record["accuracy"], record["held_out_loss"] = measure(
                    partial(self._logits, self.average), *self.held_out
                )
            record["seconds"] = round(time.perf_counter() - started, 1)
            self.history.append(record)
            yield record

    def start_from(self, run: Path) -> None:
        """Begin with the weights of a finished run of the same network.

        Raises CheckpointError where it is of another, or knows people who are held out here.
        """
        tensors, record = checkpoint.read(run, checkpoint.FINISHED)
        if (other := configure(record["network"])) != self.network.config:
            raise checkpoint.CheckpointError(f"{run} has another network: {other}")
        if known := sorted({*self.config.held_out} - {*record["training"]["held_out"]}):
            raise checkpoint.CheckpointError(f"{run} was trained on people held out here: {known}")
        weights = checkpoint.unfold_standardisation(tensors, self.shift, 1 / self.scale)
        for network in (self.network, self.average):
            network.load_state_dict(weights)
        self.started_from = record["tensors_sha256"]

    def save(self) -> None:
        """Write RUN/checkpoint.*: the average, with the standardisation in its input layer."""
        weights = checkpoint.fold_standardisation(
            self.average.state_dict(), self.shift, 1 / self.scale
        )
        checkpoint.write(self.run, checkpoint.FINISHED, weights, self.record())

    def record(self) -> Record:
        """Both configurations, the data's meaning and scale, the people trained on, the history."""
        return {
            "network": self.network.config.model_dump(mode="json"),
            "training": self.config.model_dump(mode="json"),
            "data": self.info.model_dump(mode="json"),
            "scale": {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()},
            "trained_on": self.trained_on,
            "started_from": self.started_from,
            "history": self.history,
        }

    def _epoch(self, on_batch: OnBatch) -> float:
        self.network.train()
        streams = CarriedStreams(self.network, self.recordings, self.config, self.generator)
        order = torch.randperm(len(self.labels), generator=self.generator)
        total = 0.0
        for index in range(self.batches_per_epoch):
            rows = order[index * self.config.batch_size :][: self.config.batch_size]
            total += self._update(self.windows[rows], self.labels[rows], streams)
            on_batch(len(self.history) + 1, index + 1, total / (index + 1))
        return total / self.batches_per_epoch

    def _update(self, windows: Tensor, labels: Tensor, streams: CarriedStreams) -> float:
        frames = sensor_frames(len(windows), self.config, self.generator)
        chunk = streams.next(windows.shape[1])
        x = augment(
            torch.cat([windows, chunk.signals]),
            torch.cat([frames, chunk.frames]),
            self.config.jitter * self.deviation,
            self.generator,
        )
        empty = self.network.initial_state(len(windows))
        state = tuple(map(torch.cat, zip(empty, chunk.state, strict=True)))
        logits, after = self.network.from_features(self._standardised(self.network, x), state)
        streams.carry(tuple(tensor[len(windows) :].detach() for tensor in after))
        of_windows, of_streams = logits.split([len(windows), len(x) - len(windows)])
        loss = sequence_loss(of_windows, labels, self.config, self.weights)
        if len(of_streams):
            streamed = stream_loss(of_streams, chunk, self.config, self.weights)
            loss = loss.lerp(streamed, len(of_streams) / len(x))
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

    def _logits(self, network: RecurrentClassifier, x: Tensor) -> Tensor:
        return network.from_features(self._standardised(network, x))[0]

    def _standardised(self, network: RecurrentClassifier, x: Tensor) -> Tensor:
        return (network.features(x) - self.shift) / self.scale


def _divided(data: Split, held_out: tuple[int, ...]) -> tuple[Split, Split]:
    absent = set(held_out) - set(data.subjects.tolist())
    if absent:
        raise DataError(f"held_out {sorted(absent)} have no window in the data")
    train = data.without_subjects(held_out)
    if not len(train):
        raise DataError("held_out leaves nobody to train on")
    return train, data.of_subjects(held_out)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation [features] over all windows and steps."""
    values = x.flatten(0, 1).double()
    return values.mean(0).float(), values.std(0, correction=0).clamp(min=1e-6).float()


def _parameter_groups(network: RecurrentClassifier, weight_decay: float) -> list[Record]:
    """Matrices decay; biases and the parameters of norms do not."""
    parameters = list(network.parameters())
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim == 1], "weight_decay": 0.0},
    ]
