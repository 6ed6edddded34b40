"""The search for a recipe: Optuna proposes, folds of the training subjects judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import optuna
from optuna import Study, Trial

from larnn_export.carried import Labelled
from larnn_export.data import Split
from larnn_export.families import FAMILIES, NetworkConfig
from larnn_export.folds import fold_runs
from larnn_export.recipe import TrainConfig
from larnn_export.train import Trainer

STUDY = "recipe"
Configs = tuple[NetworkConfig, TrainConfig]


def proposed(trial: Trial, network: NetworkConfig, training: TrainConfig) -> Configs:
    """The configurations with this trial's values on top: the paper's space and beyond."""
    shape: dict[str, object] = {
        "layers": trial.suggest_int("layers", 1, 3),
        "dropout": trial.suggest_float("dropout", 0.0, 0.5),
        "fine_scale": trial.suggest_categorical("fine_scale", [0.0, 0.003, 0.01, 0.03]),
    }
    for name, values in FAMILIES[network.family].searched.items():
        shape[name] = trial.suggest_categorical(name, values)
    recipe = {
        "learning_rate": trial.suggest_float("learning_rate", 5e-4, 1e-2, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-3, 0.3, log=True),
        "label_smoothing": trial.suggest_float("label_smoothing", 0.0, 0.2),
        "last_step_weight": trial.suggest_float("last_step_weight", 0.0, 1.0),
        "rotation_degrees": trial.suggest_float("rotation_degrees", 0.0, 40.0),
        "far_rotation": trial.suggest_float("far_rotation", 0.0, 0.5),
        "scaling": trial.suggest_float("scaling", 0.0, 0.3),
        "jitter": trial.suggest_float("jitter", 0.0, 0.1),
    }
    return network.model_copy(update=shape), training.model_copy(update=recipe)


def objective(
    network: NetworkConfig,
    training: TrainConfig,
    train: Split,
    recordings: Sequence[Labelled],
    runs: Path,
) -> Callable[[Trial], float]:
    """Accuracy over all people, each held out once; hopeless trials end after fewer folds."""

    def measure(trial: Trial) -> float:
        shape, recipe = proposed(trial, network, training)
        right = windows = 0.0
        for index, (run, people) in enumerate(fold_runs(runs / f"trial-{trial.number}", train)):
            config = recipe.model_copy(update={"held_out": people})
            trainer = Trainer(shape, config, train, run, recordings)
            record = list(trainer.fit())[-1]
            windows += len(trainer.held_out[1])
            right += record["accuracy"] * len(trainer.held_out[1])
            trial.report(right / windows, index)
            if trial.should_prune():
                raise optuna.TrialPruned
        return right / windows

    return measure


def open_study(runs: Path) -> Study:
    """The study in runs/search.db, begun or gone on with."""
    runs.mkdir(parents=True, exist_ok=True)
    return optuna.create_study(
        study_name=STUDY,
        storage=f"sqlite:///{runs / 'search.db'}",
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=0),
        pruner=optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=1),
        load_if_exists=True,
    )
