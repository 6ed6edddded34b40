"""Publish a torch module of one's own: its graph, proved equal to it, with manifest and card."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from larnn_export.families.loop import Tensors
from larnn_export.graph.stepped import build_stepped_graph, zero_step
from larnn_export.placing import CARD_FILE, GRAPH_FILE, version_folder
from larnn_export.verify import Parity, Scale, compare, standard
from larnn_service.contract import MANIFEST_FILE, Contract, GraphFile, Manifest, StateTensor

HORIZON = 24
"""Steps of the chunks over which graph and module are compared: up to twice as many."""


def publish_module(
    module: nn.Module,
    contract: Contract,
    name: str,
    version: int = 1,
    root: Path | str = "models",
    *,
    description: str = "",
    like: ArrayLike | None = None,
    replace: bool = False,
) -> Path:
    """Write root/<name>/<version>/, ready to be served, and give its path.

    Called as module(x [batch, steps, channels], *state), each state tensor [batch, *shape] in the
    order of the contract, the module gives (answer [batch, steps, …], *next state): the answer is
    the contract's one output, of any task. It must answer a sequence as it answers its steps one by
    one: it is compared with its graph on noise, standard normal or of the scale of the steps `like`
    [steps, channels]. Raises ModuleError where tensors do not fit the contract, ParityError where
    graph and module differ, PublishError where
    the version exists.
    """
    was_training = module.training
    module.eval()
    try:
        with version_folder(Path(root), name, version, replace) as folder:
            model = build_stepped_graph(module, contract)
            rows, scale = _Rows(module, contract), _scale(contract, like)
            parity = compare(rows, model, scale, HORIZON, output=contract.outputs[0].name)
            data = model.SerializeToString(deterministic=True)
            manifest = Manifest(
                name=name,
                version=version,
                description=description or f"{type(module).__name__} of its author",
                contract=contract,
                graph=GraphFile(file=GRAPH_FILE, sha256=hashlib.sha256(data).hexdigest()),
                network={
                    "module": type(module).__name__,
                    "parameters": sum(parameter.numel() for parameter in module.parameters()),
                },
                metrics={"parity": {"logits": parity.logits, "state": parity.state}},
            )
            (folder / GRAPH_FILE).write_bytes(data)
            (folder / MANIFEST_FILE).write_text(manifest.model_dump_json(indent=1) + "\n")
            (folder / CARD_FILE).write_text(_card(manifest, parity))
    finally:
        module.train(was_training)
    return Path(root) / name / str(version)


class _Rows:
    """The module, asked row by row, so that no row can lean on another."""

    def __init__(self, module: nn.Module, contract: Contract) -> None:
        self._module, self._contract = module, contract

    def state_tensors(self) -> list[StateTensor]:
        return list(self._contract.state)

    def initial_state(self, batch: int) -> Tensors:
        return zero_step(self._contract, batch)[1:]

    def __call__(self, x: Tensor, state: Tensors, lengths: Tensor) -> tuple[Tensor, Tensors]:
        answers = torch.zeros(*x.shape[:2], *self._contract.outputs[0].step_shape)
        after = tuple(tensor.clone() for tensor in state)
        for row, length in enumerate(lengths.tolist()):
            if length:
                mine = (tensor[row : row + 1] for tensor in state)
                answer, *moved = self._module(x[row : row + 1, :length], *mine)
                answers[row, :length] = answer[0]
                for tensor, new in zip(after, moved, strict=True):
                    tensor[row] = new[0]
        return answers, after


def _scale(contract: Contract, like: ArrayLike | None) -> Scale:
    if like is None:
        return standard(contract.input.width)
    steps = np.asarray(like, np.float64).reshape(-1, contract.input.width)
    return Scale(steps.mean(0).tolist(), steps.std(0).tolist())


def _card(manifest: Manifest, parity: Parity) -> str:
    contract = manifest.contract
    answer, hertz = contract.outputs[0], contract.sample_rate_hz
    names = ", ".join(answer.names)
    rate = "" if hertz is None else f", at {hertz:g} steps a second"
    channels = "\n".join(f"| {each.name} | {each.unit} |" for each in contract.input.summary)
    state = "\n".join(f"| {t.name} | {list(t.shape)} | {t.description} |" for t in contract.state)
    return f"""\
# {manifest.name}, version {manifest.version}

{manifest.description}: {manifest.network["parameters"]:,} parameters. It answers
{answer.task}{f": {names}" if names else ""}{rate}.

| channel | unit |
|---|---|
{channels}

| state | shape | what it is |
|---|---|---|
{state}

The graph agrees with the module in torch within {parity.logits:.0e} ({answer.name}) and
{parity.state:.0e} (state) over ragged chunks that carry the state on.
"""
