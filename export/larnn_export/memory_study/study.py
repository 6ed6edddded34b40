"""A study: settings tuned for each contender by one budget, then a run for each seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution

from larnn_export import checkpoint
from larnn_export.families import FAMILIES, NetworkConfig
from larnn_export.memory_study.contenders import CONTENDERS, STARTS
from larnn_export.memory_study.protocol import Protocol, network_for
from larnn_export.memory_study.results import VERSION, Record, Results
from larnn_export.memory_study.run import (
    TEST_SEED,
    TRIAL_SEED,
    Setting,
    measure,
    train,
)
from larnn_export.memory_tasks import MemoryTask
from larnn_export.networks import RecurrentClassifier

LEARNING_RATES = (1e-3, 3e-2)
STARTUP_TRIALS = 3
"""Settings that are drawn at random before Optuna proposes any."""
TRIAL, SEED = "trial", "seed"
"""The stages of a study."""


class Study:
    """Of one task, in one folder: `results.jsonl`, and the weights of each seed's run."""

    def __init__(self, task: MemoryTask, protocol: Protocol, folder: Path) -> None:
        self.task, self.protocol, self.folder = task, protocol, folder
        self.results = Results(folder)

    def run(self, contenders: list[str], seeds: int) -> Iterator[Record]:
        """Train what is missing, yielding each run as it is finished; what is there is kept."""
        for seed in range(seeds):
            for contender in contenders:
                setting = self._chosen(contender)
                asked = self._asked(contender, SEED, seed, setting | {"seed": seed})
                if self.results.find(asked) is None:
                    yield self._finish(asked)

    def _chosen(self, contender: str) -> dict[str, Any]:
        """The contender's setting but for the seed: the best of its trials, if it is tuned."""
        fields, protocol = CONTENDERS[contender], self.protocol
        if not protocol.trials:
            return self._setting(fields, protocol.learning_rate, protocol.updates)
        best = self._tuned(contender)
        return self._setting(
            fields | _start(best.params), best.params["learning_rate"], protocol.updates
        )

    def _tuned(self, contender: str) -> optuna.trial.FrozenTrial:
        """Proposed by Optuna from the trials before, judged by the loss on unseen episodes."""
        fields = CONTENDERS[contender]
        space: dict[str, Any] = {"learning_rate": FloatDistribution(*LEARNING_RATES, log=True)}
        own = FAMILIES[fields["family"]].own_fields
        if "longest_memory" in own and "longest_memory" not in fields:
            space["longest_memory"] = CategoricalDistribution(STARTS)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(sampler=sampler())
        for number in range(self.protocol.trials):
            trial = study.ask(space)
            setting = self._setting(
                fields | _start(trial.params),
                trial.params["learning_rate"],
                self.protocol.trial_updates,
            )
            asked = self._asked(contender, TRIAL, number, setting | {"seed": number})
            record = self.results.find(asked) or self._finish(asked)
            study.tell(trial, record["loss"])
        return study.best_trial

    def _setting(self, fields: dict[str, Any], rate: float, updates: int) -> dict[str, Any]:
        network = network_for(self.task, fields, self.protocol.parameters)
        return {"network": network, "learning_rate": rate, "updates": updates}

    def _asked(self, contender: str, stage: str, number: int, setting: dict[str, Any]) -> Record:
        return {
            "version": VERSION,
            "task": self.task.name,
            "sizes": dataclasses.asdict(self.task),
            "contender": contender,
            "stage": stage,
            "number": number,
            "setting": Setting(**setting).model_dump(mode="json"),
            "protocol": self.protocol.model_dump(mode="json"),
        }

    def _finish(self, asked: Record) -> Record:
        """Train it, measure it and keep it."""
        network_fields = asked["setting"]["network"]
        config = type(FAMILIES[network_fields["family"]].preset).model_validate(network_fields)
        setting = Setting(**{**asked["setting"], "network": config})
        network, found = train(self.task, setting, self.protocol)
        seed = TEST_SEED if asked["stage"] == SEED else TRIAL_SEED
        right, loss = measure(network, self.task, self.protocol, seed, self.protocol.tested)
        record = {
            **asked,
            **found,
            **costs(config, network),
            "accuracy": round(right, 6),
            "loss": round(loss, 6),
            "floor": self.task.floor,
        }
        if asked["stage"] == SEED:
            checkpoint.write(
                weights_folder(self.folder, asked),
                checkpoint.FINISHED,
                network.state_dict(),
                {"network": network_fields},
            )
        self.results.add(record)
        return record


def sampler() -> optuna.samplers.TPESampler:
    """Of settings: the first drawn at random, then by what the trials before say."""
    return optuna.samplers.TPESampler(seed=0, n_startup_trials=STARTUP_TRIALS)


def weights_folder(folder: Path, record: Record) -> Path:
    """Where the weights of a seed's run lie."""
    return folder / f"{record['task']}" / f"{record['contender']}-s{record['number']}"


def costs(config: NetworkConfig, network: RecurrentClassifier) -> Record:
    """Of one row's step: multiply-adds, and what a stream carries."""
    layers = config.layers * FAMILIES[config.family].multiply_adds(config)
    around = config.hidden_size * (config.channels + config.classes)
    tensors = (tensor.initial_array(1) for tensor in network.state_tensors())
    return {
        "macs_per_step": layers + around,
        "state_bytes": int(sum(np.asarray(tensor).nbytes for tensor in tensors)),
    }


def _start(params: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in params.items() if name == "longest_memory"}
