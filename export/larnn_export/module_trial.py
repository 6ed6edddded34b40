"""A module is tried in torch before it is exported: what cannot be served is refused in seconds."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor, nn

from larnn_export.families.loop import Tensors
from larnn_export.graph.stepped import Starts, zero_step
from larnn_export.module_error import PAGE, ModuleError, told_as
from larnn_export.onnx_run import difference
from larnn_export.trial_context import TrialContext
from larnn_export.trial_inputs import TrialInputs
from larnn_export.verify import LOOSEST, as_numpy
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
        context: TrialContext,
        tolerance: float | None = None,
        starts: Starts = MappingProxyType({}),
    ) -> None:
        self._module, self._contract, self._starts = module, contract, starts
        self._inputs, self._context = inputs, context
        self._bound = max(LOOSEST, tolerance or 0)
        expected = contract.expected_outputs()
        self._names = [signature.name for signature in expected]
        sizes = {size for each in (*contract.expected_inputs(), *expected) for size in each.shape}
        self._rows, self._steps = [odd for odd in ODD if odd not in sizes][:2]

    def run(self) -> None:
        """Raise ModuleError unless rows are answered as each alone, and sequences as their steps,
        the same each time."""
        self._is_of_torch()
        self._is_here()
        x, *initial = zero_step(self._contract, self._rows, self._starts)
        zeros = self._answers(x, tuple(initial))
        self._are_good(zeros, "zeros, which the service tries before it serves")
        random = np.random.default_rng(0)
        x = torch.from_numpy(self._inputs.draw(random, self._rows, self._steps + 1))
        told = [*map(torch.from_numpy, self._context.draw(random, self._rows).values())]
        initial = initial[: len(self._contract.state)]
        carried = self._after(x[:, :1], (*initial, *told))[1]
        x = x[:, 1:]
        whole = self._answers(x, carried)
        takes = "samples= and context= take" if told else "samples= takes"
        tried = self._context.beside(self._inputs)
        self._are_good(whole, f"{tried}; {takes} what it is made for")
        self._same(whole, self._answers(x, carried), AGAIN, 0)
        self._same(whole, self._rowwise(x, carried), ALONE, self._bound)
        self._same(whole, self._stepwise(x, carried), BY_STEPS, self._bound)

    def _is_of_torch(self) -> None:
        """Raise ModuleError where the contract has what a module is not called with."""
        for tensor in self._contract.state:
            if isinstance(tensor.initial, File) and tensor.name not in self._starts:
                raise ModuleError(
                    f"{tensor.name}: give what it begins with as initial={{{tensor.name!r}: …}}"
                )
        for told in self._contract.context:
            if isinstance(told.default, File):
                raise ModuleError(f"{told.name}: a module's default is a number, or None")

    def _is_here(self) -> None:
        for name, tensor in [*self._module.named_parameters(), *self._module.named_buffers()]:
            if tensor.device.type != "cpu":
                raise ModuleError(f"{name} is on {tensor.device}: publish module.cpu()")

    def _answers(self, x: Tensor, carried: Tensors) -> Tensors:
        """What the module gives, as the contract says. Raises ModuleError, naming the tensor."""
        arguments = tuple(tensor.clone() for tensor in (x, *carried))
        shapes = ", ".join(str(list(tensor.shape)) for tensor in arguments)
        random = torch.get_rng_state()
        with told_as(f"the module does not take tensors {shapes}", self._advice()), torch.no_grad():
            given = self._module(*arguments)
        if not torch.equal(random, torch.get_rng_state()):
            raise ModuleError(RANDOM)
        names = [INPUT, *(tensor.name for tensor in self._contract.carried)]
        for name, before, after in zip(names, (x, *carried), arguments, strict=True):
            if not torch.equal(before, after):
                raise ModuleError(f"the module writes into {name}: let it work on {name}.clone()")
        self._fits(given, tuple(x.shape[:2]))
        return tuple(given)

    def _after(self, x: Tensor, carried: Tensors) -> tuple[Tensors, Tensors]:
        """The outputs, and what is carried on: the next state, and the context as it was."""
        given, outputs = self._answers(x, carried), len(self._contract.outputs)
        return given[:outputs], (*given[outputs:], *carried[len(self._contract.state) :])

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
        if self._contract.context:
            return (
                "context comes behind the state, [batch, …] like it; context= has values that the "
                f"module is made for; {PAGE}"
            )
        embeds = any(isinstance(module, nn.Embedding) for module in self._module.modules())
        if embeds:
            return "where steps are tokens the contract has a vocabulary=Vocabulary(size=…)"
        return f"x is [batch, steps, channels], and state has its batch first; {PAGE}"

    def _fits(self, given: object, rows_and_steps: tuple[int, ...]) -> None:
        if not isinstance(given, tuple | list) or len(given) != len(self._names):
            once = ": context is not given back" if self._contract.context else ""
            names = ", ".join(self._names)
            raise ModuleError(f"the module must give ({names}), each a tensor{once}")
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

    def _rowwise(self, x: Tensor, carried: Tensors) -> Tensors:
        each = [
            self._answers(x[row : row + 1], tuple(tensor[row : row + 1] for tensor in carried))
            for row in range(len(x))
        ]
        return tuple(torch.cat(parts) for parts in zip(*each, strict=True))

    def _stepwise(self, x: Tensor, carried: Tensors) -> Tensors:
        outputs = []
        for step in range(x.shape[1]):
            answers, carried = self._after(x[:, step : step + 1], carried)
            outputs.append(answers)
        state = carried[: len(self._contract.state)]
        return (*(torch.cat(parts, 1) for parts in zip(*outputs, strict=True)), *state)

    def _same(self, whole: Tensors, other: Tensors, told: str, bound: float) -> None:
        for name, mine, theirs in zip(self._names, whole, other, strict=True):
            if not (by := difference(as_numpy(theirs), as_numpy(mine))) <= bound:
                raise ModuleError(told.format(name=name, by=by))
