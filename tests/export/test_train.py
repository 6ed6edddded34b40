"""The trainer on a tiny network and made-up people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from larnn_export import checkpoint
from larnn_export.accuracy import last_logits
from larnn_export.augment import random_rotations
from larnn_export.data import DataError, Split
from larnn_export.data.uci_har import INFO
from larnn_export.families.larnn.config import LARNNConfig
from larnn_export.loss import class_weights, sequence_loss
from larnn_export.recipe import TrainConfig, folds
from larnn_export.resume import resume, save_last
from larnn_export.train import Trainer

NETWORK = LARNNConfig(hidden_size=8, layers=2, window_size=3, heads=2, dropout=0.1)
CONFIG = TrainConfig(epochs=3, batch_size=8, held_out=(3,), loss_from_step=2)


def people(windows: int = 48) -> Split:
    random = np.random.default_rng(7)
    labels = random.integers(0, 6, windows)
    signals = random.normal(0.3, 0.2, (windows, 6, 9)) + labels[:, None, None] * 0.3
    return Split(INFO, signals.astype(np.float32), labels, np.arange(windows) % 3 + 1)


def tensors(run: Path, name: str) -> dict[str, torch.Tensor]:
    return checkpoint.read(run, name)[0]


def assert_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name


def to_the_end(trainer: Trainer) -> Trainer:
    for _ in trainer.fit():
        save_last(trainer)
    trainer.save()
    return trainer


def trained(config: TrainConfig, run: Path) -> Trainer:
    return to_the_end(Trainer(NETWORK, config, people(), run))


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    return trained(CONFIG, tmp_path_factory.mktemp("run"))


def test_the_same_seed_gives_the_same_bits(finished: Trainer, tmp_path: Path) -> None:
    trained(CONFIG, tmp_path)
    for name in (checkpoint.FINISHED, checkpoint.LAST):
        assert_same(tensors(tmp_path, name), tensors(finished.run, name))


def test_another_seed_gives_another_network(finished: Trainer, tmp_path: Path) -> None:
    trained(CONFIG.model_copy(update={"seed": 1}), tmp_path)
    key = "output.weight"
    ours, theirs = (tensors(run, checkpoint.FINISHED)[key] for run in (finished.run, tmp_path))
    assert not torch.equal(ours, theirs)


def test_a_resumed_run_ends_with_the_same_bits(finished: Trainer, tmp_path: Path) -> None:
    stopped = Trainer(NETWORK, CONFIG, people(), tmp_path)
    next(stopped.fit())
    save_last(stopped)
    resumed = Trainer(NETWORK, CONFIG, people(), tmp_path)
    resume(resumed)
    to_the_end(resumed)
    assert [record["epoch"] for record in resumed.history] == [1, 2, 3]
    for name in (checkpoint.FINISHED, checkpoint.LAST):
        assert_same(tensors(tmp_path, name), tensors(finished.run, name))


def test_resuming_with_another_configuration_is_refused(finished: Trainer) -> None:
    other = Trainer(NETWORK, CONFIG.model_copy(update={"epochs": 9}), people(), finished.run)
    with pytest.raises(checkpoint.CheckpointError, match="another training configuration"):
        resume(other)


def test_the_saved_network_takes_raw_values(finished: Trainer) -> None:
    network = checkpoint.load_network(finished.run)
    held_out = people().of_subjects((3,))
    logits = last_logits(lambda x: network(x)[0], torch.from_numpy(held_out.signals))
    accuracy = (logits.argmax(1).numpy() == held_out.labels).mean()
    assert not network.training
    assert accuracy == pytest.approx(finished.history[-1]["accuracy"], abs=1e-6)


def test_with_nobody_held_out_all_train(tmp_path: Path) -> None:
    trainer = Trainer(NETWORK, TrainConfig(epochs=1), people(), tmp_path)
    (record,) = trainer.fit()
    assert len(trainer.labels) == len(people())
    assert "accuracy" not in record


def test_folds_hold_each_person_out_once() -> None:
    found = folds([5, 1, 1, 9, 3, 4, 8, 2])
    assert found == [(1, 8), (2, 9), (3,), (4,), (5,)]


def test_a_subject_to_hold_out_must_be_there(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"held_out": (3, 30)})
    with pytest.raises(DataError, match=r"\[30\] have no window"):
        Trainer(NETWORK, config, people(), tmp_path)


def test_somebody_must_be_left_to_train_on(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"held_out": (1, 2, 3)})
    with pytest.raises(DataError, match="nobody"):
        Trainer(NETWORK, config, people(), tmp_path)


@pytest.mark.parametrize(
    ("field", "value"), [("epochs", 0), ("ema_decay", 1.0), ("nonsense", 1), ("learning_rate", -1)]
)
def test_a_bad_configuration_names_its_field(field: str, value: float) -> None:
    with pytest.raises(ValidationError, match=field):
        TrainConfig.model_validate({field: value})


def test_rotations_keep_lengths_and_handedness() -> None:
    turns = random_rotations(5, 30.0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(turns @ turns.transpose(1, 2), torch.eye(3).expand(5, 3, 3))
    torch.testing.assert_close(torch.linalg.det(turns), torch.ones(5))


def test_the_loss_leaves_out_early_steps() -> None:
    logits = torch.randn(4, 6, 6, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 1, 2, 3])
    before = sequence_loss(logits, labels, CONFIG)
    logits[:, : CONFIG.loss_from_step] = 100.0
    torch.testing.assert_close(sequence_loss(logits, labels, CONFIG), before)


def test_in_a_balanced_loss_each_class_counts_as_much_as_any_other() -> None:
    plain = CONFIG.model_copy(update={"label_smoothing": 0.0})
    logits = torch.randn(4, 6, 3, generator=torch.Generator().manual_seed(0))
    labels = torch.tensor([0, 0, 0, 2])
    weights = class_weights(labels, 3)
    torch.testing.assert_close(weights[labels].mean(), torch.tensor(2 / 3))
    found = sequence_loss(logits, labels, plain, weights)
    each = [sequence_loss(logits[labels == one], labels[labels == one], plain) for one in (0, 2)]
    torch.testing.assert_close(found, torch.stack(each).mean())


@pytest.mark.parametrize("balanced", [False, True])
def test_the_recipe_says_whether_the_loss_is_balanced(balanced: bool, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"balanced": balanced})
    trainer = Trainer(NETWORK, config, people(), tmp_path)
    assert (trainer.weights is not None) == balanced
    record = next(trainer.fit())
    assert record["loss"] > 0
