"""Streams as training data: they go on where they were, and what they teach."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from larnn_export import checkpoint
from larnn_export.carried import CarriedStreams, Labelled
from larnn_export.data import DataError, Split
from larnn_export.data.uci_har import INFO
from larnn_export.families.larnn.config import LARNNConfig
from larnn_export.loss import stream_loss
from larnn_export.networks import RecurrentClassifier
from larnn_export.recipe import TrainConfig
from larnn_export.resume import resume, save_last
from larnn_export.train import Trainer

NETWORK = LARNNConfig(hidden_size=8, layers=1, window_size=3, heads=2, fine_scale=0.1)
CONFIG = TrainConfig(
    epochs=2, batch_size=8, streams=4, stream_restart=0.2, loss_from_step=2, held_out=(3,)
)
STEPS = 6


def recordings(people: int = 3) -> list[Labelled]:
    """Signals that count their steps, so that a piece tells where it was cut."""
    found = []
    for person in range(1, people + 1):
        count = torch.arange(40.0)[:, None] + 1000 * person
        labels = torch.arange(40) // 10 - 2  # in a transition, none, 0, 1
        found.append(Labelled(person, count.expand(40, 9) / 1000, labels))
    return found


def windows() -> Split:
    random = np.random.default_rng(7)
    labels = random.integers(0, 6, 48)
    signals = random.normal(0.3, 0.2, (48, STEPS, 9)) + labels[:, None, None] * 0.3
    return Split(INFO, signals.astype(np.float32), labels, np.arange(48) % 3 + 1)


def streams(restart: float) -> CarriedStreams:
    config = CONFIG.model_copy(update={"stream_restart": restart})
    network = RecurrentClassifier(NETWORK)
    return CarriedStreams(network, recordings(), config, torch.Generator().manual_seed(0))


def trainer(run: Path) -> Trainer:
    return Trainer(NETWORK, CONFIG, windows(), run, recordings())


def to_the_end(trainer: Trainer) -> dict[str, torch.Tensor]:
    for _ in trainer.fit():
        save_last(trainer)
    trainer.save()
    return checkpoint.read(trainer.run, checkpoint.FINISHED)[0]


def test_a_stream_goes_on_with_its_state_and_frame_or_begins_anew() -> None:
    carried = streams(restart=0.2)
    before = carried.next(STEPS)
    assert before.fresh.all()
    seen = set()
    for _ in range(20):
        marked = tuple(torch.ones_like(tensor) for tensor in before.state)
        carried.carry(marked)
        chunk = carried.next(STEPS)
        for row, fresh in enumerate(chunk.fresh.tolist()):
            seen.add(fresh)
            step = (chunk.signals[row, 0, 0] - before.signals[row, -1, 0]) * 1000
            initial = carried.initial if fresh else marked
            assert all(
                torch.equal(c[row], i[row]) for c, i in zip(chunk.state, initial, strict=True)
            )
            assert torch.equal(chunk.frames[row], before.frames[row]) != fresh
            assert fresh or step.item() == pytest.approx(1, abs=1e-2)
        before = chunk
    assert seen == {True, False}


def test_a_stream_ends_with_its_recording() -> None:
    carried = streams(restart=1e-9)
    for _ in range(20):
        chunk = carried.next(STEPS)
        people = (chunk.signals[..., 0] + 1e-6).floor()
        assert (people == people[:, :1]).all()


def test_only_steps_with_an_activity_teach_and_not_the_first_of_a_stream() -> None:
    chunk = streams(restart=0.5).next(STEPS)
    taught = (chunk.labels >= 0) & (torch.arange(STEPS) >= CONFIG.loss_from_step)
    assert taught.any() and not taught.all()
    logits = torch.randn(*taught.shape, 6, generator=torch.Generator().manual_seed(0))
    loss = stream_loss(logits, chunk, CONFIG)
    noise = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1))
    other = torch.where(taught[..., None], logits, noise)
    torch.testing.assert_close(stream_loss(other, chunk, CONFIG), loss)
    assert stream_loss(logits + noise, chunk, CONFIG) != loss


def test_a_run_with_streams_is_resumed_to_the_same_bits(tmp_path: Path) -> None:
    whole = to_the_end(trainer(tmp_path / "whole"))
    stopped = trainer(tmp_path / "stopped")
    next(stopped.fit())
    save_last(stopped)
    resumed = trainer(tmp_path / "stopped")
    resume(resumed)
    for name, tensor in to_the_end(resumed).items():
        assert torch.equal(tensor, whole[name]), name


def test_nobody_held_out_is_among_the_streams(tmp_path: Path) -> None:
    assert [r.subject for r in trainer(tmp_path).recordings] == [1, 2]


def test_streams_without_recordings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="HAPT"):
        next(Trainer(NETWORK, CONFIG, windows(), tmp_path).fit())


def test_a_run_begins_with_the_weights_of_another(tmp_path: Path) -> None:
    first = to_the_end(trainer(tmp_path / "first"))
    second = trainer(tmp_path / "second")
    second.start_from(tmp_path / "first")
    second.save()
    found, record = checkpoint.read(tmp_path / "second", checkpoint.FINISHED)
    for name, tensor in found.items():
        torch.testing.assert_close(tensor, first[name])
    assert len(record["started_from"]) == 64
    wider = NETWORK.model_copy(update={"hidden_size": 16})
    with pytest.raises(checkpoint.CheckpointError, match="another network"):
        Trainer(wider, CONFIG, windows(), tmp_path, recordings()).start_from(tmp_path / "first")
