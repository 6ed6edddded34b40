"""A module is tried in torch before it is exported: what cannot be served is refused in seconds."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from larnn_export.families.loop import Tensors
from larnn_export.graph.stepped import zero_step
from larnn_export.module_error import PAGE, ModuleError, told_as
from larnn_export.onnx_run import difference
from larnn_export.trial_inputs import TrialInputs
from larnn_export.verify import LOOSEST
from larnn_service.contract import INPUT, Contract
from larnn_service.tensors import File

ODD = (7, 11, 13, 17, 19, 23, 29, 31, 37)
"""Rows and steps of a trial are such as no shape of the contract has: an axis that is taken for
another one does not fit."""
RANDOM = (
    "the module draws random numbers, so it would answer a chunk that is sent again otherwise: let "
    "it give logits and the client draw, and have no dropout in evaluation mode"
)
AGAIN = (
    "{name} differs by {by:.0e} when the module is called again: what it remembers between calls "
    "must be in the state, none in itself"
)
ALONE = (
    "{name} of a row differs by {by:.0e} when it is alone: rows must not meet, as in statistics "
    "over the batch"
)
BY_STEPS = (
    "{name} of a sequence differs by {by:.0e} from that of its steps, one by one: a stream has no "
    "later steps yet, and what the module remembers must be in the state"
)


def eager(module: nn.Module) -> nn.Module:
    """The module itself where `torch.compile` has wrapped it. Raises ModuleError where there is no
    module of Python any more."""
    if isinstance(module, torch.jit.ScriptModule):
        raise ModuleError("a TorchScript module cannot be exported: publish what it was made of")
    children = dict(module.named_children())
    return children["_orig_mod"] if set(children) == {"_orig_mod"} else module


class Trial:
    """A module and the contract that it is to keep."""

    def __init__(
        self,
        module: nn.Module,
        contract: Contract,
        inputs: TrialInputs,
        tolerance: float | None = None,
    ) -> None:
        self._module, self._contract, self._inputs = module, contract, inputs
        self._bound = max(LOOSEST, tolerance or 0)
        expected = contract.expected_outputs()
        self._names = [signature.name for signature in expected]
        sizes = {size for tensor in expected for size in tensor.shape}
        self._rows, self._steps = [odd for odd in ODD if odd not in sizes][:2]

    def run(self) -> None:
        """Raise ModuleError unless rows are answered as each alone, and sequences as their steps,
        the same each time."""
        self._is_of_torch()
        self._is_here()
        x, *initial = zero_step(self._contract, self._rows)
        zeros = self._answers(x, tuple(initial))
        self._are_good(zeros, "zeros, which the service tries before it serves")
        drawn = self._inputs.draw(np.random.default_rng(0), self._rows, self._steps + 1)
        x = torch.from_numpy(drawn)
        state = self._answers(x[:, :1], tuple(initial))[len(self._contract.outputs) :]
        x = x[:, 1:]
        whole = self._answers(x, state)
        self._are_good(whole, f"{self._inputs.told}; samples= takes steps that it is made for")
        self._same(whole, self._answers(x, state), AGAIN, 0)
        self._same(whole, self._rowwise(x, state), ALONE, self._bound)
        self._same(whole, self._stepwise(x, state), BY_STEPS, self._bound)

    def _is_of_torch(self) -> None:
        """Raise ModuleError where the contract has what a module is not called with."""
        if names := [tensor.name for tensor in self._contract.context]:
            raise ModuleError(f"modules take no context: let {names[0]} be a buffer, or a channel")
        for tensor in self._contract.state:
            if tensor.dtype == "bfloat16":
                raise ModuleError(f"{tensor.name}: numpy knows no bfloat16; let it be float32")
            if isinstance(tensor.initial, File):
                raise ModuleError(f"{tensor.name}: a module starts from a number, not from a file")

    def _is_here(self) -> None:
        for name, tensor in [*self._module.named_parameters(), *self._module.named_buffers()]:
            if tensor.device.type != "cpu":
                raise ModuleError(f"{name} is on {tensor.device}: publish module.cpu()")

    def _answers(self, x: Tensor, state: Tensors) -> Tensors:
        """What the module gives, as the contract says. Raises ModuleError, naming the tensor."""
        arguments = tuple(tensor.clone() for tensor in (x, *state))
        shapes = ", ".join(str(list(tensor.shape)) for tensor in arguments)
        random = torch.get_rng_state()
        with told_as(f"the module does not take tensors {shapes}", self._advice()), torch.no_grad():
            given = self._module(*arguments)
        if not torch.equal(random, torch.get_rng_state()):
            raise ModuleError(RANDOM)
        names = [INPUT, *(tensor.name for tensor in self._contract.state)]
        for name, before, after in zip(names, (x, *state), arguments, strict=True):
            if not torch.equal(before, after):
                raise ModuleError(f"the module writes into {name}: let it work on {name}.clone()")
        self._fits(given, tuple(x.shape[:2]))
        return tuple(given)

    def _advice(self) -> str:
        """What may be done about a module that does not take its tensors."""
        types = {parameter.dtype for parameter in self._module.parameters()}
        if others := sorted(str(type).removeprefix("torch.") for type in types - {torch.float32}):
            return (
                f"its weights are {others[0]} and steps come as {self._contract.input_dtype}: "
                f"publish module.float(), or turn x and the answers in its forward"
            )
        if (tokens := self._contract.vocabulary) is not None:
            return f"x holds tokens from 0 to {tokens.size - 1}"
        embeds = any(isinstance(module, nn.Embedding) for module in self._module.modules())
        if embeds:
            return "where steps are tokens the contract has a vocabulary=Vocabulary(size=…)"
        return f"x is [batch, steps, channels], and state has its batch first; {PAGE}"

    def _fits(self, given: object, rows_and_steps: tuple[int, ...]) -> None:
        if not isinstance(given, tuple | list) or len(given) != len(self._names):
            raise ModuleError(f"the module must give ({', '.join(self._names)}), each a tensor")
        for tensor, signature in zip(given, self._contract.expected_outputs(), strict=True):
            dynamic = iter(rows_and_steps)
            shape = [next(dynamic) if size is None else size for size in signature.shape]
            if not isinstance(tensor, Tensor):
                raise ModuleError(f"{signature.name} is a {type(tensor).__name__}, not a tensor")
            found = f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
            if found != f"{signature.dtype} {shape}":
                raise ModuleError(f"{signature.name} is {found}, not {signature.dtype} {shape}")

    def _are_good(self, given: Tensors, inputs: str) -> None:
        """Raise ModuleError where an answer or a state is none that a stream can have."""
        outputs = self._contract.outputs
        for output, tensor in zip(outputs, given, strict=False):
            if not output.is_good(tensor.numpy()):
                masks = "; a mask of -inf must leave a class" if output.task == "classes" else ""
                raise ModuleError(f"{output.name} is not finite for {inputs}{masks}")
        for name, tensor in zip(self._names[len(outputs) :], given[len(outputs) :], strict=True):
            if not torch.isfinite(tensor).all():
                raise ModuleError(f"{name} is not finite for {inputs}")

    def _rowwise(self, x: Tensor, state: Tensors) -> Tensors:
        each = [
            self._answers(x[row : row + 1], tuple(tensor[row : row + 1] for tensor in state))
            for row in range(len(x))
        ]
        return tuple(torch.cat(parts) for parts in zip(*each, strict=True))

    def _stepwise(self, x: Tensor, state: Tensors) -> Tensors:
        split = len(self._contract.outputs)
        outputs = []
        for step in range(x.shape[1]):
            given = self._answers(x[:, step : step + 1], state)
            outputs.append(given[:split])
            state = given[split:]
        return (*(torch.cat(parts, 1) for parts in zip(*outputs, strict=True)), *state)

    def _same(self, whole: Tensors, other: Tensors, told: str, bound: float) -> None:
        for name, mine, theirs in zip(self._names, whole, other, strict=True):
            if not (by := difference(theirs.numpy(), mine.numpy())) <= bound:
                raise ModuleError(told.format(name=name, by=by))
