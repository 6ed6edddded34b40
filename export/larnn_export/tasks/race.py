"""One network on one task with one seed, from its first update to its learning curve."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from typing import Any

import torch

from larnn_export import checkpoint
from larnn_export.networks import RecurrentClassifier
from larnn_export.tasks.task import Task

RESULT_FILE = "result.json"


class RaceError(ValueError):
    """What stands in the way of a race, and what to do."""


def run(task: Task, family: str, seed: int, folder: Path) -> dict[str, Any]:
    """Train, unless folder/result.json says that it was done; gives the result.

    Raises RaceError where it was done with another network or budget.
    """
    finished = folder / RESULT_FILE
    if finished.is_file():
        return _done(finished, task, family)
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network, budget = RecurrentClassifier(task.network(family)), task.budget
    optimiser = torch.optim.Adam(network.parameters(), lr=budget.learning_rate)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser,
        lambda update: (1 + math.cos(math.pi * update / budget.updates)) / 2 if budget.decay else 1,
    )
    curve, losses, started = [], [], time.perf_counter()
    for update in range(1, budget.updates + 1):
        batch = task.batch(generator)
        loss = task.loss(batch.answers(network.train()), batch.target)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), budget.clip_norm)
        optimiser.step()
        schedule.step()
        losses.append(loss.item())
        if update % budget.measure_every == 0 or update == budget.updates:
            measured = task.measure(network.eval())
            curve.append([update, round(sum(losses) / len(losses), 5), round(measured, 5)])
            losses = []
            if budget.stop_below is not None and measured < budget.stop_below:
                break
    result = {
        "task": task.name,
        "family": family,
        "seed": seed,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "network": network.config.model_dump(mode="json"),
        "budget": budget.model_dump(mode="json"),
        "measured": task.measured,
        "tested": task.tested,
        "curve": curve,
        "seconds": round(time.perf_counter() - started, 1),
    }
    checkpoint.write(folder, checkpoint.FINISHED, network.state_dict(), result)
    task.save(folder)
    finished.write_text(json.dumps(result, indent=1) + "\n")
    return result


def _done(finished: Path, task: Task, family: str) -> dict[str, Any]:
    """The result of a run that is finished, where it is of this task."""
    result: dict[str, Any] = json.loads(finished.read_text())
    asked = {"network": task.network(family), "budget": task.budget}
    for name, config in asked.items():
        mine = config.model_dump(mode="json")
        differ = [key for key, value in mine.items() if result[name].get(key, value) != value]
        if differ:
            told = ", ".join(f"{key} {result[name][key]}, not {mine[key]}" for key in differ)
            raise RaceError(
                f"{finished.parent} is finished with another {name}: {told}. "
                "Name another folder with --runs, or delete this one."
            )
    return result
