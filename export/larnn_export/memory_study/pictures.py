"""Pictures of a study: how accuracy grows, and where attention looks when a recall is solved."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.ticker import PercentFormatter
from numpy.typing import NDArray

from larnn_export.graph import build_graph
from larnn_export.graph.attention import attention_graph
from larnn_export.memory_study.results import Record
from larnn_export.memory_tasks import MemoryTask
from larnn_export.networks import RecurrentClassifier
from larnn_export.onnx_run import Session
from larnn_export.pictures import INK, plain, save
from larnn_service.contract import ATTENTION, INPUT, LENGTHS, Channel, Contract, Input
from larnn_service.outputs import classes


def draw_curves(rows: Sequence[Record], path: Path) -> None:
    """Accuracy by update: a panel for each task, a line for each contender, its seeds' mean."""
    tasks = list(dict.fromkeys(row["task"] for row in rows))
    figure, panels = plt.subplots(
        1, len(tasks), figsize=(5.4 * len(tasks), 4.2), layout="constrained", squeeze=False
    )
    colours = plt.get_cmap("tab20").colors  # type: ignore[attr-defined]
    names = sorted({row["contender"] for row in rows})
    for axes, task in zip(panels[0], tasks, strict=True):
        mine = [row for row in rows if row["task"] == task]
        for row in mine:
            updates = [point[0] for point in row["curves"][0]]
            reached = np.mean([[point[2] for point in curve] for curve in row["curves"]], axis=0)
            name = row["contender"]
            axes.plot(updates, reached, lw=1.4, color=colours[names.index(name)], label=name)
        axes.axhline(mine[0]["floor"], color=INK, lw=0.8, ls=":")
        axes.set(xlabel="updates", ylabel="right answers", title=task, ylim=(0, 1.02))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.legend(frameon=False, fontsize=7)
        plain(axes)
    save(figure, path)


def draw_tasks(tasks: Sequence[MemoryTask], path: Path) -> None:
    """An episode of each task, channels by steps, its questions marked below."""
    figure, panels = plt.subplots(
        len(tasks), 1, figsize=(9, 1.5 * len(tasks)), layout="constrained", squeeze=False
    )
    for axes, task in zip(panels[:, 0], tasks, strict=True):
        episode = task.draw(1, torch.Generator().manual_seed(0))
        shown = episode.x[0].T.numpy()
        most = np.abs(shown).max()
        axes.imshow(shown, cmap="PuOr", vmin=-most, vmax=most, aspect="auto", interpolation="none")
        asked = episode.asked[0].nonzero()[:, 0].numpy()
        axes.plot(asked, np.full(len(asked), len(shown)), "^", color=INK, ms=4, clip_on=False)
        axes.set(title=task.name, yticks=[], ylabel="channels", ylim=(len(shown), -0.5))
        plain(axes)
    figure.supxlabel("steps; ▲ a question", fontsize=9)
    save(figure, path)


def attention_of(
    network: RecurrentClassifier, task: MemoryTask, seed: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Where the network looks at each question of one episode: [questions, layers, heads, k],
    newest slot last, and the questions' steps."""
    channels = tuple(Channel(name=f"channel_{each}", unit="1") for each in range(task.channels))
    contract = Contract(
        input=Input(channels=channels),
        outputs=classes(tuple(f"answer {each}" for each in range(task.outputs))),
        sample_rate_hz=None,
        state=tuple(network.state_tensors()),
    )
    graph = attention_graph(build_graph(network, contract))
    if graph is None:
        raise ValueError(f"a {network.config.family} has no attention in its loop")
    episode = task.draw(1, torch.Generator().manual_seed(seed))
    steps = episode.asked[0].nonzero()[:, 0].numpy()
    feed = {tensor.name: tensor.initial_array(len(steps)) for tensor in network.state_tensors()}
    feed[INPUT] = episode.x.expand(len(steps), -1, -1).numpy()
    feed[LENGTHS] = steps + 1
    taken = {given.name for given in graph.graph.input}
    session = Session(graph.SerializeToString())
    [weights] = session.run([ATTENTION], {name: feed[name] for name in feed.keys() & taken})
    return weights, steps


def draw_attention(weights: NDArray[np.float32], steps: NDArray[np.int64], path: Path) -> None:
    """For each layer and head: how much each question, a row, looks at each earlier step."""
    questions, layers, heads, slots = weights.shape
    figure, panels = plt.subplots(
        layers, heads, figsize=(1 + 4.2 * heads, 0.6 + 2.4 * layers), layout="constrained",
        squeeze=False,
    )  # fmt: skip
    last = int(steps.max())
    for layer in range(layers):
        for head in range(heads):
            seen = np.zeros((questions, last + 1))
            for row, step in enumerate(steps):
                first = max(slots - int(step), 0)
                seen[row, max(int(step) - slots, 0) : step] = weights[row, layer, head, first:]
            axes = panels[layer, head]
            axes.imshow(seen, cmap="Blues", vmin=0, vmax=1, aspect="auto")
            axes.set(
                title=f"layer {layer}, head {head}", xlabel="step looked at", ylabel="question"
            )
            plain(axes)
    save(figure, path)
