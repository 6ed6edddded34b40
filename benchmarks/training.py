"""One update's forward and backward pass of the bundled network: two ways to run its loop."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Annotated, Any
from unittest.mock import patch

import torch
import typer

from benchmarks.measure import Output, Quick, machine, report
from benchmarks.runs import cpu_ms
from larnn_export.families import FAMILIES
from larnn_export.families.larnn.layer import LARNNLayer
from larnn_export.families.larnn.native import lanes
from larnn_export.loss import sequence_loss
from larnn_export.memory import keep_freed_memory
from larnn_export.networks import RecurrentClassifier
from larnn_export.questions import PUBLISHED
from larnn_export.recipe import TrainConfig

STEPS = 128
WAYS = ("native", "autograd")


def training(
    rounds: Annotated[int, typer.Option(help="rounds; a time is the median of them")] = 9,
    quick: Quick = False,
    output: Output = None,
) -> None:
    """CPU milliseconds of a batch, one thread. Wants larnn-kernels: make kernels."""
    if not lanes():
        raise typer.BadParameter("the native loop is not installed: make kernels")
    keep_freed_memory()
    torch.set_num_threads(1)
    config = TrainConfig(batch_size=2 if quick else TrainConfig().batch_size)
    update = _update(config)
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(1 if quick else rounds):
        times["native"].append(cpu_ms(update))
        with patch.object(LARNNLayer, "_has_native_loop", lambda *_: False):
            times["autograd"].append(cpu_ms(update))
    lines: list[dict[str, Any]] = []
    for way, found in times.items():
        ratio = median(theirs / mine for theirs, mine in zip(times["autograd"], found, strict=True))
        lines.append(
            {
                "way": way,
                "ms": median(found),
                "spread_ms": [min(found), max(found)],
                "autograd_over_this": ratio,
            }
        )
    record = machine() | {"command": "training", "rows": config.batch_size, "lines": lines}
    report("training", record, output)


def _update(config: TrainConfig) -> Callable[[], None]:
    torch.manual_seed(0)
    network = RecurrentClassifier(FAMILIES[PUBLISHED].preset)
    x = torch.randn(config.batch_size, STEPS, network.config.channels)
    labels = torch.randint(network.config.classes, (config.batch_size,))
    state = network.initial_state(len(x))

    def update() -> None:
        sequence_loss(network.from_features(x, state)[0], labels, config).backward()

    update()
    return update
