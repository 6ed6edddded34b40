"""Stop and go on: everything that the next update depends on, in RUN/last.* after each epoch.

A resumed run ends with the same bits as one that was never stopped.
"""

from __future__ import annotations

import torch
from torch import Tensor

from larnn_export import checkpoint
from larnn_export.identity import require_same
from larnn_export.train import Trainer


def save_last(trainer: Trainer) -> None:
    """Write RUN/last.*: weights, average, moments, schedule and both random generators."""
    tensors = {
        **{f"network.{key}": value for key, value in trainer.network.state_dict().items()},
        **{f"average.{key}": value for key, value in trainer.average.state_dict().items()},
        "random.order_and_augmentation": trainer.generator.get_state(),
        "random.dropout": torch.get_rng_state(),
    }
    state = trainer.optimiser.state_dict()
    for index, moments in state["state"].items():
        tensors |= {f"optimiser.{index}.{key}": value for key, value in moments.items()}
    notes = {
        "optimiser_groups": state["param_groups"],
        "schedule": {
            key: value
            for key, value in trainer.schedule.state_dict().items()
            if isinstance(value, int | float | str | list | bool)
        },
    }
    checkpoint.write(trainer.run, checkpoint.LAST, tensors, trainer.record() | notes)


def resume(trainer: Trainer) -> None:
    """Go on from RUN/last.*; CheckpointError where it is of another configuration or start."""
    tensors, record = checkpoint.read(trainer.run, checkpoint.LAST)
    require_same(trainer.run, record, trainer.record())
    trainer.network.load_state_dict(_under("network.", tensors))
    trainer.average.load_state_dict(_under("average.", tensors))
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in _under("optimiser.", tensors).items():
        index, key = name.split(".")
        state.setdefault(int(index), {})[key] = tensor
    trainer.optimiser.load_state_dict({"state": state, "param_groups": record["optimiser_groups"]})
    trainer.schedule.load_state_dict(record["schedule"])
    trainer.generator.set_state(tensors["random.order_and_augmentation"])
    torch.set_rng_state(tensors["random.dropout"])
    trainer.history = record["history"]


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
