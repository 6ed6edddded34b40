"""One network of a study, from its first update to its accuracy on unseen episodes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, SerializeAsAny
from torch import Tensor

from larnn_export.families import NetworkConfig
from larnn_export.families.loop import Tensors
from larnn_export.memory_study.protocol import Protocol
from larnn_export.memory_tasks import EndlessStreams, Episodes, MemoryTask
from larnn_export.networks import RecurrentClassifier

Record = dict[str, Any]
CURVE_SEED, TRIAL_SEED, TEST_SEED = 10**6, 2 * 10**6, 3 * 10**6
"""Of the episodes that draw the curve, choose a setting, and measure. Seeds of training are less,
so that nothing is measured on what was learned from."""
AT_ONCE = 250


class Setting(BaseModel):
    """What one run differs in from the others of a study."""

    model_config = ConfigDict(frozen=True)

    network: SerializeAsAny[NetworkConfig]
    learning_rate: float
    updates: int
    seed: int


def train(
    task: MemoryTask, setting: Setting, protocol: Protocol
) -> tuple[RecurrentClassifier, Record]:
    """The trained network, and its learning curve, its cost and its parameters."""
    torch.set_num_threads(1)
    torch.manual_seed(setting.seed)
    network = RecurrentClassifier(setting.network)
    optimiser = torch.optim.AdamW(
        network.parameters(), lr=setting.learning_rate, weight_decay=protocol.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser,
        max_lr=setting.learning_rate,
        total_steps=setting.updates + 1,
        pct_start=protocol.warmup,
        cycle_momentum=False,
    )
    batches = _batches(task, protocol, torch.Generator().manual_seed(setting.seed))
    every = max(setting.updates // protocol.points, 1)
    state: Tensors | None = None
    curve, losses, spent = [], [], 0.0
    for update in range(1, setting.updates + 1):
        started = time.process_time()
        batch = next(batches)
        outputs, after = network.train()(batch.x, state)
        if protocol.chunk:
            state = tuple(tensor.detach() for tensor in after)
        if batch.asked.any():
            loss = task.loss(outputs[batch.asked], batch.answers[batch.asked])
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), protocol.clip_norm)
            optimiser.step()
            losses.append(loss.item())
        schedule.step()
        spent += time.process_time() - started
        if update % every == 0 or update == setting.updates:
            right, _ = measure(network, task, protocol, CURVE_SEED, protocol.tested // 5)
            curve.append([update, round(sum(losses) / max(len(losses), 1), 5), round(right, 5)])
            losses = []
    return network.eval(), {
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "curve": curve,
        "cpu_seconds_per_update": round(spent / setting.updates, 5),
    }


def measure(
    network: RecurrentClassifier, task: MemoryTask, protocol: Protocol, seed: int, episodes: int
) -> tuple[float, float]:
    """The share of right answers and the mean loss on so many episodes that this seed gives, or on
    streams of as many steps: in whole chunks, and each two episodes long at least."""
    generator = torch.Generator().manual_seed(seed)
    if protocol.chunk:
        episode = task.draw(1, torch.Generator()).x.shape[1]
        steps = max(episodes / protocol.batch_size, 2) * episode
        chunks = math.ceil(steps / protocol.chunk)
        answered = _of_streams(network.eval(), task, protocol, generator, chunks)
    else:
        drawn = (
            task.draw(min(AT_ONCE, episodes - first), generator)
            for first in range(0, episodes, AT_ONCE)
        )
        answered = (_answers(network.eval(), batch, None)[:2] for batch in drawn)
    outputs, answers = (torch.cat(parts) for parts in zip(*answered, strict=True))
    return task.right(outputs, answers).double().mean().item(), task.loss(outputs, answers).item()


def _of_streams(
    network: RecurrentClassifier,
    task: MemoryTask,
    protocol: Protocol,
    generator: torch.Generator,
    chunks: int,
) -> Iterator[tuple[Tensor, Tensor]]:
    streams = EndlessStreams(task, protocol.batch_size, generator)
    state: Tensors | None = None
    for _ in range(chunks):
        outputs, answers, state = _answers(network, streams.next(protocol.chunk), state)
        yield outputs, answers


@torch.inference_mode()
def _answers(
    network: RecurrentClassifier, batch: Episodes, state: Tensors | None
) -> tuple[Tensor, Tensor, Tensors]:
    """The outputs [questions, outputs] and the answers [questions], and the state after them."""
    outputs, after = network(batch.x, state)
    return outputs[batch.asked], batch.answers[batch.asked], after


def _batches(
    task: MemoryTask, protocol: Protocol, generator: torch.Generator
) -> Iterator[Episodes]:
    streams = EndlessStreams(task, protocol.batch_size, generator)
    while True:
        if protocol.chunk:
            yield streams.next(protocol.chunk)
        else:
            yield task.draw(protocol.batch_size, generator)
