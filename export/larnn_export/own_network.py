"""Publish a torch module of one's own: its graph, proved equal to it, with manifest and card."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from larnn_export.families.loop import Tensors
from larnn_export.graph.stepped import Starts, build_stepped_graph, zero_step
from larnn_export.manifests import GRAPH_FILE, graph_entry, save_manifest
from larnn_export.module_card import card
from larnn_export.module_error import PAGE, ModuleError
from larnn_export.module_trial import Trial, eager
from larnn_export.onnx_run import RunError
from larnn_export.placing import CARD_FILE, version_folder
from larnn_export.starts import with_starts
from larnn_export.trial_context import TrialContext, context_for
from larnn_export.trial_inputs import TrialInputs, noise_for, samples_for
from larnn_export.verify import BATCH, Parity, ParityError, compare
from larnn_service.contract import Contract, Manifest, StateTensor

HORIZON = 24
"""Steps of the chunks over which graph and module are compared: up to twice as many."""
DIFFERS = (
    "Real inputs in samples= and context= may differ less than noise does; what is small enough "
    "for you, tolerance= allows"
)


def publish_module(
    module: nn.Module,
    contract: Contract,
    name: str,
    version: int = 1,
    root: Path | str = "models",
    *,
    description: str = "",
    samples: ArrayLike | Sequence[ArrayLike] | None = None,
    context: Mapping[str, ArrayLike] | None = None,
    initial: Mapping[str, ArrayLike] | None = None,
    tolerance: float | None = None,
    tokenizer: bytes | None = None,
    replace: bool = False,
) -> Path:
    """Write root/<name>/<version>/, ready to be served, and give its path.

    Called as module(x [batch, steps, channels], *state, *context), each of these tensors [batch,
    *shape] in the order of the contract, the module gives (*outputs [batch, steps, …], *next
    state), the outputs in the order of the contract. It must answer a sequence as it answers its
    steps one by one.

    It is compared with its graph on noise, or on `samples`: real steps [steps, channels], or a list
    of such sequences; and told noise, or what `context` has, real values [n, *shape] by the names
    of context tensors. `tolerance` is how far they may differ, relative to max(1, |value|); without
    one, what `compare` allows. State tensors that `initial` names begin with its arrays [*shape],
    which are published as files beside the graph; the others with the contract's numbers.
    `tokenizer` is the file that the vocabulary names, if it does.

    Raises PublishError before anything else where the name cannot be one or the version exists,
    ModuleError where the module cannot be served, ParityError where graph and module differ. Then
    nothing is left behind.
    """
    training = {each: each.training for each in module.modules()}
    module.eval()
    try:
        with version_folder(Path(root), name, version, replace) as folder:
            inputs, told = _tried_on(contract, samples, context)
            contract, starts, files = _started(contract, initial or {})
            files |= _tokenizer_file(contract, tokenizer)
            plain = eager(module)
            Trial(plain, contract, inputs, told, tolerance, starts).run()
            model = build_stepped_graph(plain, contract, starts)
            rows = _Rows(plain, contract, starts, told)
            parity = _compared(rows, model, contract, inputs, tolerance)
            files[GRAPH_FILE] = model.SerializeToString(deterministic=True)
            manifest = Manifest(
                name=name,
                version=version,
                description=description or f"{type(plain).__name__} of its author",
                contract=contract,
                graph=graph_entry(files[GRAPH_FILE]),
                network={
                    "module": type(plain).__name__,
                    "parameters": sum(parameter.numel() for parameter in plain.parameters()),
                },
                metrics={
                    "parity": {**parity.outputs, "state": parity.state},
                    "compared": {"on": told.beside(inputs), "tolerance": tolerance},
                },
            )
            for file, data in files.items():
                (folder / file).write_bytes(data)
            save_manifest(folder, manifest)
            (folder / CARD_FILE).write_text(card(manifest, parity), encoding="utf-8")
    finally:
        for each, mode in training.items():  # train() would thaw what is frozen inside
            each.training = mode
    return Path(root) / name / str(version)


def _tried_on(
    contract: Contract,
    samples: ArrayLike | Sequence[ArrayLike] | None,
    values: Mapping[str, ArrayLike] | None,
) -> tuple[TrialInputs, TrialContext]:
    try:
        inputs = (
            noise_for(contract)
            if samples is None
            else samples_for(contract.input, contract.vocabulary, samples)
        )
        return inputs, context_for(contract, values)
    except ValueError as error:
        raise ModuleError(str(error)) from error


def _tokenizer_file(contract: Contract, data: bytes | None) -> dict[str, bytes]:
    """The file by its name. Raises ModuleError where it is not the one that the contract names."""
    vocabulary = contract.vocabulary
    named = vocabulary.tokenizer if vocabulary is not None else None
    if named is None:
        if data is not None:
            raise ModuleError("the contract's vocabulary names no file for the tokenizer")
        return {}
    if data is None or hashlib.sha256(data).hexdigest() != named.sha256:
        raise ModuleError(f"tokenizer= must be {named.file}, as the contract's sha256 says")
    return {named.file: data}


def _started(
    contract: Contract, initial: Mapping[str, ArrayLike]
) -> tuple[Contract, dict[str, NDArray[Any]], dict[str, bytes]]:
    try:
        return with_starts(contract, initial)
    except ValueError as error:
        raise ModuleError(str(error)) from error


def _compared(
    rows: _Rows,
    model: onnx.ModelProto,
    contract: Contract,
    inputs: TrialInputs,
    tolerance: float | None,
) -> Parity:
    names = [output.name for output in contract.outputs]
    try:
        return compare(
            rows, model, inputs, HORIZON, outputs=names, context=rows.context, tolerance=tolerance
        )
    except RunError as error:
        raise ModuleError(f"onnxruntime cannot run the graph: {error}; {PAGE}") from error
    except ParityError as error:
        raise ParityError(f"{error}. {DIFFERS}") from error


class _Rows:
    """The module, asked row by row, so that no row can lean on another; each is told its own."""

    def __init__(
        self, module: nn.Module, contract: Contract, starts: Starts, told: TrialContext
    ) -> None:
        self._module, self._contract, self._starts = module, contract, starts
        self.context = told.draw(np.random.default_rng(0), BATCH)

    def state_tensors(self) -> list[StateTensor]:
        return list(self._contract.state)

    def initial_state(self, batch: int) -> Tensors:
        step = zero_step(self._contract, batch, self._starts)
        return step[1 : 1 + len(self._contract.state)]

    def __call__(self, x: Tensor, state: Tensors, lengths: Tensor) -> tuple[Any, ...]:
        answers = [
            torch.zeros(*x.shape[:2], *output.step_shape, dtype=getattr(torch, output.dtype))
            for output in self._contract.outputs
        ]
        after = tuple(tensor.clone() for tensor in state)
        context = [*map(torch.from_numpy, self.context.values())]
        for row, length in enumerate(lengths.tolist()):
            if length:
                mine = (tensor[row : row + 1].clone() for tensor in (*state, *context))
                given = self._module(x[row : row + 1, :length], *mine)
                for tensor, new in zip(answers, given, strict=False):
                    tensor[row, :length] = new[0]
                for tensor, new in zip(after, given[len(answers) :], strict=True):
                    tensor[row] = new[0]
        return (*answers, after)
