"""Streams as training data: rows of a batch that go on where the last batch left them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from larnn_export.augment import sensor_frames
from larnn_export.data import DataError
from larnn_export.data.hapt import Recording
from larnn_export.families.loop import Tensors
from larnn_export.networks import RecurrentClassifier
from larnn_export.networks.phone_filters import filter_recording
from larnn_export.recipe import TrainConfig


@dataclass(frozen=True)
class Labelled:
    """A whole recording in the channels of UCI HAR."""

    subject: int
    signals: Tensor  # [steps, 9]
    labels: Tensor  # [steps], negative where there is no activity, as hapt has them


def labelled(recordings: Sequence[Recording]) -> list[Labelled]:
    """The recordings through the phone's filters, from end to end."""
    return [
        Labelled(
            recording.subject,
            torch.from_numpy(filter_recording(recording.signals)),
            torch.from_numpy(recording.labels),
        )
        for recording in recordings
    ]


@dataclass(frozen=True)
class Chunk:
    """The next steps of streams side by side."""

    signals: Tensor  # [rows, steps, 9]
    labels: Tensor  # [rows, steps]
    fresh: Tensor  # [rows], whether the stream begins here
    frames: Tensor  # [rows, 3, 3]: a stream keeps its sensor frame
    state: Tensors


class CarriedStreams:
    """The streams of one epoch. Each begins anywhere and ends by chance or with its recording."""

    def __init__(
        self,
        network: RecurrentClassifier,
        recordings: Sequence[Labelled],
        config: TrainConfig,
        generator: torch.Generator,
    ) -> None:
        """Raises DataError where the configuration asks for streams and there is no recording."""
        if config.streams and not recordings:
            raise DataError("streams need the training subjects' recordings: HAPT's")
        self.network, self.recordings, self.config = network, recordings, config
        self.generator = generator
        self.lengths = torch.tensor([float(len(r.labels)) for r in recordings])
        self.places = [(0, 0)] * config.streams
        self.initial = self.state = network.initial_state(config.streams)
        self.frames = torch.empty(config.streams, 0, 0)
        self.started = False

    def next(self, steps: int) -> Chunk:
        """The next `steps` of each stream, and the state that it comes with."""
        rows = range(self.config.streams)
        fresh = torch.rand(len(rows), generator=self.generator) < self.config.stream_restart
        fresh |= torch.tensor([self._is_over(row, steps) for row in rows], dtype=torch.bool)
        for row in fresh.nonzero()[:, 0].tolist():
            self.places[row] = self._anywhere(steps)
        signals = torch.empty(len(rows), steps, self.network.config.channels)
        labels = torch.empty(len(rows), steps, dtype=torch.int64)
        for row, (recording, start) in enumerate(self.places):
            signals[row] = self.recordings[recording].signals[start : start + steps]
            labels[row] = self.recordings[recording].labels[start : start + steps]
        frames = sensor_frames(len(rows), self.config, self.generator)
        if self.started:
            frames = torch.where(fresh[:, None, None], frames, self.frames)
        self.frames = frames
        chunk = Chunk(
            signals,
            labels,
            fresh,
            self.frames,
            tuple(
                torch.where(fresh.view(-1, *[1] * (now.ndim - 1)), new, now)
                for new, now in zip(self.initial, self.state, strict=True)
            ),
        )
        self.places = [(recording, start + steps) for recording, start in self.places]
        self.started = True
        return chunk

    def carry(self, state: Tensors) -> None:
        """Where the chunk's streams stand now."""
        self.state = state

    def _is_over(self, row: int, steps: int) -> bool:
        recording, start = self.places[row]
        return not self.started or start + steps > len(self.recordings[recording].labels)

    def _anywhere(self, steps: int) -> tuple[int, int]:
        recording = int(torch.multinomial(self.lengths, 1, generator=self.generator))
        last = len(self.recordings[recording].labels) - steps
        return recording, int(torch.randint(last + 1, (1,), generator=self.generator))
