"""Ten divisions of UCI HAR's people that nobody chose, and a run on each for each network and seed.

A division's number is the seed that makes it. Its people to measure on take part in nothing: what
is tuned is tuned on the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.distributions import CategoricalDistribution, FloatDistribution

from larnn_export import checkpoint
from larnn_export.carried import Labelled
from larnn_export.data import Split
from larnn_export.evaluate import evaluate
from larnn_export.memory_study.contenders import CONTENDERS as OF_TASKS
from larnn_export.memory_study.contenders import STARTS, Fields
from larnn_export.memory_study.results import VERSION, Record, Results
from larnn_export.memory_study.study import sampler
from larnn_export.paired import interval, spread
from larnn_export.recipe import FOLDS, folds
from larnn_export.stream_evaluation import run_streams, together
from larnn_export.train import Trainer
from larnn_export.training_command import configs, train_to_end

DIVISIONS = 10
MEASURED = 0.3
"""The part of all people that a division measures on: nine of thirty, as in UCI HAR's own."""
ON_STREAMS = ("epochs=6", "learning_rate=0.003", "batch_size=32", "streams=32")
"""Training fields of the second part of a run, which begins with the weights of the first."""
LEARNING_RATES = (2e-3, 1e-2)
START = "longest_memory"
"""The network's field that says how its gates start."""
PUBLISHED = "larnn-old"
"""From which the others' differences are taken. Its long memories are what it is: they stay."""
CONTENDERS: dict[str, tuple[str, Fields]] = {
    PUBLISHED: ("larnn", {}),
    "larnn": ("larnn", {**OF_TASKS["larnn"], "hidden_size": 44, START: 0}),
    "larnn-twin": ("larnn-twin", {}),
    "lstm": ("lstm", {}),
    "gru": ("gru", {}),
}
"""A preset and what is changed of it. The second is the form of recall, in the published size; the
third is the first without attention."""


def division(people: Sequence[int], number: int) -> tuple[int, ...]:
    """The people whom a division measures on, in order."""
    everybody = sorted({*people})
    order = np.random.default_rng(number).permutation(len(everybody))
    return tuple(sorted(everybody[each] for each in order[: round(MEASURED * len(everybody))]))


def everybody(train: Split, test: Split) -> Split:
    """The windows of all people, whatever division the data came in."""

    def joined(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(train, name), getattr(test, name)])

    return Split(train.info, joined("signals"), joined("labels"), joined("subjects"))


@dataclass(frozen=True)
class Cross:
    """The runs in one folder: results.jsonl, and the checkpoints of each."""

    folder: Path
    data: Split
    recordings: list[Labelled]
    network: list[str]
    training: list[str]
    trials: int
    """Settings that are tried for each network on each division; 0 where the recipe stands."""

    def run(self, contenders: list[str], divisions: int, seeds: int) -> Iterator[Record]:
        """Train what is missing, yielding each run as it is finished; what is there is kept."""
        results = Results(self.folder)
        for seed in range(seeds):
            for number in range(divisions):
                people = division(self.data.subjects.tolist(), number)
                for contender in contenders:
                    asked = self._asked(contender, number, seed, people)
                    if results.find(asked) is None:
                        record = asked | self._measured(contender, number, seed, people)
                        results.add(record)
                        yield record

    def _asked(self, contender: str, number: int, seed: int, people: tuple[int, ...]) -> Record:
        network, windows, streams = self._recipe(contender)
        return {
            "version": VERSION,
            "task": "uci-har",
            "sizes": {"people": len({*self.data.subjects.tolist()})},
            "division": number,
            "contender": contender,
            "stage": "seed",
            "number": seed,
            "setting": {"network": network, "measured_on": list(people)},
            "protocol": {"windows": windows, "streams": streams, "trials": self.trials},
        }

    def _recipe(self, contender: str) -> tuple[Record, Record, Record]:
        """The network's fields before tuning, and those of both parts of the training, but for the
        seed."""
        parts = [
            configs(*self._fields(contender, {}), [*fields, *self.training], self.data)
            for fields in ((), ON_STREAMS)
        ]
        windows, streams = (
            part[1].model_dump(mode="json", exclude={"seed", "held_out"}) for part in parts
        )
        return parts[0][0].model_dump(mode="json"), windows, streams

    def _fields(self, contender: str, tuned: dict[str, Any]) -> tuple[str, list[str]]:
        """The preset, and what is changed of it."""
        preset, changes = CONTENDERS[contender]
        fields = changes | {name: tuned[name] for name in tuned.keys() & {START}}
        changed = [f"{name}={json.dumps(value)}" for name, value in fields.items()]
        return preset, [*changed, *self.network]

    def _measured(self, contender: str, number: int, seed: int, people: tuple[int, ...]) -> Record:
        """Windows first, then streams too; measured on the division's people at the end of both."""
        where = self._folder(number)
        tuned = self._tuned(contender, number, people)
        first = self._trainer(
            contender, where / f"{contender}-windows-s{seed}", people, tuned, [f"seed={seed}"]
        )
        train_to_end(first, resume=True)
        of_windows = evaluate(first.run, self.data.of_subjects(people))
        second = self._trainer(
            contender,
            where / f"{contender}-s{seed}",
            people,
            {name: value for name, value in tuned.items() if name != "learning_rate"},
            [*ON_STREAMS, f"seed={seed}"],
        )
        second.start_from(first.run)
        train_to_end(second, resume=True)
        of_both = evaluate(second.run, self.data.of_subjects(people))
        network = checkpoint.load_network(second.run)
        labels, logits = together(
            run_streams(network, [each for each in self.recordings if each.subject in people])
        )
        return {
            "tuned": tuned,
            "parameters": sum(each.numel() for each in network.parameters()),
            "windows_alone": of_windows["accuracy"],
            "windows": of_both["accuracy"],
            "streams": float((logits.argmax(1) == labels).mean()),
            "per_subject": of_both["per_subject"],
        }

    def _tuned(self, contender: str, number: int, people: tuple[int, ...]) -> dict[str, Any]:
        """What of the space is best on a fifth of the other people; nothing without a space."""
        space = space_of(contender, [*self.network, *self.training])
        if not (self.trials and space):
            return {}
        others = sorted({*self.data.subjects.tolist()} - {*people})
        held_out = folds(others)[number % FOLDS]
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        study = optuna.create_study(direction="maximize", sampler=sampler())
        for index in range(self.trials):
            trial = study.ask(space)
            trainer = self._trainer(
                contender,
                self._folder(number) / f"{contender}-trial-{index}",
                held_out,
                trial.params,
                [],
                without=people,
            )
            train_to_end(trainer, resume=True)
            study.tell(trial, trainer.history[-1]["accuracy"])
        return study.best_params

    def _folder(self, number: int) -> Path:
        return self.folder / f"division-{number}"

    def _trainer(
        self,
        contender: str,
        run: Path,
        held_out: tuple[int, ...],
        tuned: dict[str, Any],
        training: list[str],
        without: tuple[int, ...] = (),
    ) -> Trainer:
        rate = [f"learning_rate={tuned['learning_rate']}"] if "learning_rate" in tuned else []
        data = self.data.without_subjects(without)
        network, recipe = configs(
            *self._fields(contender, tuned), [*rate, *training, *self.training], data
        )
        recipe = recipe.model_copy(update={"held_out": held_out})
        recordings = self.recordings if recipe.streams else []
        return Trainer(network, recipe, data, run, recordings)


def space_of(contender: str, stated: Sequence[str]) -> dict[str, Any]:
    """What is tuned of a network: its rate and the start of its gates.

    Of these the start of the published form stays, and every field that is `stated`: name=value.
    """
    space: dict[str, Any] = {
        "learning_rate": FloatDistribution(*LEARNING_RATES, log=True),
        START: CategoricalDistribution(STARTS),
    }
    stay = {each.partition("=")[0] for each in stated}
    if contender == PUBLISHED:
        stay.add(START)
    return {name: values for name, values in space.items() if name not in stay}


def summary(records: Sequence[Record], baseline: str) -> list[Record]:
    """A row for each network: mean and spread of each figure over divisions and seeds, and the
    difference from the baseline on the same divisions and seeds.

    A division's difference is the mean over its seeds; the interval is over divisions, so that more
    seeds do not make it look more certain than it is, and corrected for people whom divisions
    share.
    """
    rows = []
    for contender in dict.fromkeys(record["contender"] for record in records):
        mine = _of(records, contender)
        row: Record = {"contender": contender, "runs": len(mine)}
        for figure in ("windows", "streams"):
            values = [record[figure] for record in mine.values()]
            row[figure] = spread(values) if len(values) > 1 else {"mean": values[0], "sd": None}
            differences = _by_division(mine, _of(records, baseline), figure)
            if contender != baseline and len(differences) > 1:
                first = next(iter(mine.values()))
                measured_on = len(first["setting"]["measured_on"])
                trained_on = first["sizes"]["people"] - measured_on
                row[f"{figure}_difference"] = interval(differences, measured_on / trained_on)
        rows.append(row)
    return rows


def _of(records: Sequence[Record], contender: str) -> dict[tuple[int, int], Record]:
    mine = (record for record in records if record["contender"] == contender)
    return {(record["division"], record["number"]): record for record in mine}


def _by_division(
    mine: dict[tuple[int, int], Record], others: dict[tuple[int, int], Record], figure: str
) -> list[float]:
    found: dict[int, list[float]] = {}
    for key in mine.keys() & others.keys():
        found.setdefault(key[0], []).append(mine[key][figure] - others[key][figure])
    return [float(np.mean(found[each])) for each in sorted(found)]
