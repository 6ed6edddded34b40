"""The trainer on a tiny network and made-up people."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from export import checkpoint
from export.augment import random_rotations
from export.data.uci_har import DataError, Split
from export.networks import NetworkConfig
from export.recipe import TrainConfig
from export.train import Trainer, last_logits, sequence_loss

NETWORK = NetworkConfig(hidden_size=8, layers=2, window_size=3, heads=2, dropout=0.1)
CONFIG = TrainConfig(epochs=3, batch_size=8, validation_subjects=(3,), loss_from_step=2)


def people(windows: int = 48) -> Split:
    random = np.random.default_rng(7)
    labels = random.integers(0, 6, windows)
    signals = random.normal(0.3, 0.2, (windows, 6, 9)) + labels[:, None, None] * 0.3
    return Split(signals.astype(np.float32), labels, np.arange(windows) % 3 + 1)


def tensors(run: Path, name: str) -> dict[str, torch.Tensor]:
    return checkpoint.read(run, name)[0]


def assert_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    assert left.keys() == right.keys()
    for name, tensor in left.items():
        assert torch.equal(tensor, right[name]), name


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    trainer = Trainer(NETWORK, CONFIG, people(), tmp_path_factory.mktemp("run"))
    list(trainer.fit())
    return trainer


def test_the_same_seed_gives_the_same_bits(finished: Trainer, tmp_path: Path) -> None:
    list(Trainer(NETWORK, CONFIG, people(), tmp_path).fit())
    for name in (checkpoint.SELECTED, checkpoint.LAST):
        assert_same(tensors(tmp_path, name), tensors(finished.run, name))


def test_another_seed_gives_another_network(finished: Trainer, tmp_path: Path) -> None:
    other = CONFIG.model_copy(update={"seed": 1})
    list(Trainer(NETWORK, other, people(), tmp_path).fit())
    key = "output.weight"
    ours, theirs = (tensors(run, checkpoint.SELECTED)[key] for run in (finished.run, tmp_path))
    assert not torch.equal(ours, theirs)


def test_a_resumed_run_ends_with_the_same_bits(finished: Trainer, tmp_path: Path) -> None:
    next(Trainer(NETWORK, CONFIG, people(), tmp_path).fit())
    resumed = Trainer(NETWORK, CONFIG, people(), tmp_path)
    resumed.resume()
    assert [record["epoch"] for record in resumed.fit()] == [2, 3]
    for name in (checkpoint.SELECTED, checkpoint.LAST):
        assert_same(tensors(tmp_path, name), tensors(finished.run, name))


def test_resuming_with_another_configuration_is_refused(finished: Trainer) -> None:
    other = Trainer(NETWORK, CONFIG.model_copy(update={"epochs": 9}), people(), finished.run)
    with pytest.raises(checkpoint.CheckpointError, match="another training configuration"):
        other.resume()


def test_the_saved_network_takes_raw_values(finished: Trainer) -> None:
    network = checkpoint.load_network(finished.run)
    held_out = people().of_subjects((3,))
    logits = last_logits(network, torch.from_numpy(held_out.signals))
    accuracy = (logits.argmax(1).numpy() == held_out.labels).mean()
    assert not network.training
    assert accuracy == pytest.approx(finished.selected["accuracy"], abs=1e-6)


def test_the_epoch_with_the_best_accuracy_is_chosen(finished: Trainer) -> None:
    _, record = checkpoint.read(finished.run, checkpoint.SELECTED)
    assert len(record["history"]) == CONFIG.epochs
    assert record["validation_accuracy"] == max(e["accuracy"] for e in record["history"])


def test_a_subject_to_hold_out_must_be_there(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"validation_subjects": (3, 30)})
    with pytest.raises(DataError, match=r"\[30\] have no window"):
        Trainer(NETWORK, config, people(), tmp_path)


def test_somebody_must_be_left_to_train_on(tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"validation_subjects": (1, 2, 3)})
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
