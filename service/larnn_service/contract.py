"""The model contract: what the export writes, the graph's metadata repeats and the service checks.

Everything that tells one recurrent network from another is data in here: the service knows
*inputs*, *state tensors* and *outputs*, and no network by name. Shared with `export`, so it imports
numpy and pydantic alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cached_property
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from numpy.typing import NDArray
from pydantic import Field, model_validator

from larnn_service.distribution import CONFIDENCE, Distribution
from larnn_service.finite import all_finite
from larnn_service.inputs import Input as Input
from larnn_service.outputs import LOGITS as LOGITS
from larnn_service.outputs import Channel as Channel
from larnn_service.outputs import Floats, Output, Strict, are_good, check_doubt, doubt
from larnn_service.tensors import (
    CarriedTensor,
    ContextTensor,
    File,
)
from larnn_service.tensors import StateTensor as StateTensor
from larnn_service.vocabulary import Vocabulary as Vocabulary

INPUT = "x"
LENGTHS = "lengths"
ATTENTION = "attention"
ROWS, NEXT_ROWS = "rows", "next_rows"
"""Optional inputs: which rows of the state tensors a run reads and which it writes."""
METADATA_KEY = "contract"
OPERATORS_KEY = "operators"
"""The graph's metadata names the domains, between commas, of operators that a native library may
take over."""
MANIFEST_FILE = "model.json"
MOST_CONTEXT = 8
"""Context tensors: a request of the Open Inference Protocol has all of them and the steps."""
MAX_VERSION = 2**53 - 1
"""What JSON, every store and every client count exactly."""

ModelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
Version = Annotated[int, Field(ge=1, le=MAX_VERSION)]


class ContractError(ValueError):
    """A model whose manifest, metadata and graph disagree. `field` says where."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field


class TensorSignature(Strict):
    """A graph input or output as the runtime reports it; a dynamic axis is None."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


class Contract(Strict):
    """What a client and the service must know of a network; repeated in the graph's metadata."""

    input: Input
    """Of a step."""
    outputs: tuple[Output, ...] = Field(min_length=1)
    """The first is the answer; the others are given to those who ask."""
    sample_rate_hz: float | None = Field(gt=0)
    """Of the steps; None where they have no time between them."""
    state: tuple[StateTensor, ...] = ()
    """Empty where each step is answered by itself."""
    context: tuple[ContextTensor, ...] = Field(
        (), max_length=MOST_CONTEXT, exclude_if=lambda tensors: not tensors
    )
    """What is given once, when a stream opens or with a request."""
    vocabulary: Vocabulary | None = Field(None, exclude_if=lambda value: value is None)
    """Where the one channel holds tokens."""

    @model_validator(mode="before")
    @classmethod
    def _format_1(cls, fields: Any) -> Any:
        """In format 1 all channels have names, every network is a classifier, and `labels` say of
        what."""
        if not isinstance(fields, dict):
            return fields
        fields = dict(fields)
        if "channels" in fields and "input" not in fields:
            fields["input"] = {"channels": fields.pop("channels")}
        if "labels" in fields and "outputs" not in fields:
            logits = {"name": LOGITS, "task": "classes", "labels": fields.pop("labels")}
            fields["outputs"] = (logits,)
        return fields

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        carried = [tensor.name for tensor in self.carried]
        names = [*(output.name for output in self.outputs), *carried]
        if len({*names, INPUT, LENGTHS}) != len(names) + 2:
            raise ValueError(
                f"outputs, state and context: names must be unique, and not {INPUT} or {LENGTHS}, "
                f"got {names}"
            )
        if LOGITS in carried:
            raise ValueError(f"state: {LOGITS} is the name of a stream's answers in its checkpoint")
        check_doubt(self.outputs)
        return self

    @model_validator(mode="after")
    def _tokens_have_one_channel(self) -> Self:
        if self.vocabulary is not None and len(self.input.channels) != 1:
            raise ValueError("input: tokens come in one channel that has a name")
        return self

    @model_validator(mode="after")
    def _steps_are_as_long_as_their_samples(self) -> Self:
        frame, steps = self.input.frame, self.sample_rate_hz
        if frame is None or frame.sample_rate_hz is None or steps is None:
            return self
        if not math.isclose(steps * frame.samples, frame.sample_rate_hz, rel_tol=1e-6):
            raise ValueError(
                f"sample_rate_hz: {steps:g} steps of {frame.samples} samples a second are not "
                f"{frame.sample_rate_hz:g} samples"
            )
        return self

    @cached_property
    def doubt(self) -> tuple[int, float] | None:
        """The column that tells when the answer is unsure, and above what; None where none does."""
        return doubt(self.outputs)

    @property
    def input_dtype(self) -> Literal["float32", "int64"]:
        return "float32" if self.vocabulary is None else "int64"

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the answer; none where it has values, or is raw."""
        return self.outputs[0].labels

    @cached_property
    def columns(self) -> int:
        """How many float32 columns hold all outputs of a step."""
        return sum(output.columns for output in self.outputs)

    def are_good(self, columns: Floats) -> bool:
        """Whether these outputs […, columns] are answers that a client can be given."""
        # What is no float may look infinite among the columns, but nothing infinite looks finite.
        return all_finite(columns) or are_good(self.outputs, columns)

    @property
    def carried(self) -> tuple[CarriedTensor, ...]:
        """What a stream brings along from run to run: state, and the context that does not move."""
        return *self.state, *self.context

    @cached_property
    def state_bytes(self) -> int:
        """Of all that one stream brings along."""
        return sum(tensor.nbytes for tensor in self.carried)

    def initial_state(
        self, arrays: Mapping[str, NDArray[Any]] = MappingProxyType({})
    ) -> dict[str, NDArray[Any]]:
        """Each carried tensor [*shape] before the first step; `arrays` are those that files have.
        Context that a client must give is zero."""
        numbers = {tensor.name: tensor.initial for tensor in self.state}
        numbers |= {tensor.name: tensor.default or 0.0 for tensor in self.context}
        state = {}
        for tensor in self.carried:
            number = numbers[tensor.name]
            if isinstance(number, File):
                state[tensor.name] = arrays[tensor.name]
            else:
                state[tensor.name] = tensor.filled(number)
        return state

    def expected_inputs(self) -> list[TensorSignature]:
        """Graph inputs: x [batch, steps, width], lengths [batch], then state and context."""
        return [
            TensorSignature(
                name=INPUT, dtype=self.input_dtype, shape=(None, None, self.input.width)
            ),
            TensorSignature(name=LENGTHS, dtype="int64", shape=(None,)),
            *(
                TensorSignature(name=t.name, dtype=t.dtype, shape=(None, *t.shape))
                for t in self.carried
            ),
        ]

    def expected_outputs(self) -> list[TensorSignature]:
        """Graph outputs: each output [batch, steps, …], then each next state tensor."""
        return [
            *(
                TensorSignature(name=o.name, dtype=o.dtype, shape=(None, None, *o.step_shape))
                for o in self.outputs
            ),
            *(
                TensorSignature(name=t.next_name, dtype=t.dtype, shape=(None, *t.shape))
                for t in self.state
            ),
        ]

    def check_graph(
        self, inputs: Iterable[TensorSignature], outputs: Iterable[TensorSignature]
    ) -> None:
        """Raise ContractError, naming the tensor, unless the graph takes and gives just this."""
        for kind, expected, found in (
            ("input", self.expected_inputs(), list(inputs)),
            ("output", self.expected_outputs(), list(outputs)),
        ):
            by_name = {signature.name: signature for signature in found}
            for want in expected:
                got = by_name.pop(want.name, None)
                if got is None:
                    raise ContractError(f"{kind} {want.name}", "the graph has no such tensor")
                if got.dtype != want.dtype:
                    raise ContractError(
                        f"{kind} {want.name}", f"dtype {got.dtype}; the manifest says {want.dtype}"
                    )
                if got.shape != want.shape:
                    raise ContractError(
                        f"{kind} {want.name}",
                        f"shape {_axes(got.shape)}; the manifest says {_axes(want.shape)}",
                    )
            for name in by_name:
                raise ContractError(f"{kind} {name}", "the graph has it, the manifest does not")

    def check_metadata(self, text: str | None) -> None:
        """Raise ContractError, naming the field, unless the graph's metadata repeats this."""
        if text is None:
            raise ContractError("metadata", f"the graph carries no {METADATA_KEY!r} entry")
        try:
            other = Contract.model_validate_json(text)
        except ValueError as error:
            raise ContractError(
                "metadata", f"the graph's contract is not valid: {error}"
            ) from error
        for field in Contract.model_fields:
            mine, theirs = getattr(self, field), getattr(other, field)
            if mine != theirs:
                raise ContractError(field, f"the graph says {theirs}, the manifest says {mine}")


class GraphFile(File):
    """An ONNX file."""

    data: tuple[File, ...] = Field((), exclude_if=lambda value: not value)
    """The files that it calls its external data: weights that are not in it."""


class Manifest(Strict):
    """models/<name>/<version>/model.json."""

    format: Literal[1, 2] = 2
    """1 has `channels` in place of input and `labels` in place of outputs; see `Contract`."""
    name: ModelName
    version: Version
    description: str
    contract: Contract
    graph: GraphFile
    attention: GraphFile | None = None
    """A second graph that says where the last step looked."""
    network: dict[str, Any]
    """The network's configuration: provenance, not read by the service."""
    metrics: dict[str, Any] = Field(default_factory=dict)
    """How the model was measured: provenance, not read by the service."""
    training: tuple[Distribution, ...] = Field((), exclude_if=lambda value: not value)
    """How inputs, confidence and single values were distributed in training; empty where nobody
    looked."""
    data_terms: str = Field("", exclude_if=lambda value: not value)
    """On which terms the data that it learned from is given away, as its source says them."""

    @model_validator(mode="after")
    def _training_is_of_what_there_is(self) -> Self:
        contract = self.contract
        known = [channel.name for channel in contract.input.channels]
        known += [o.name for o in contract.outputs if o.task == "values" and o.columns == 1]
        known += [CONFIDENCE] if contract.outputs[0].task == "classes" else []
        given = [each.quantity for each in self.training]
        if len({*given}) != len(given) or not {*given} <= {*known} or len({*known}) != len(known):
            raise ValueError(f"training: quantities are each one of {known}, got {given}")
        return self


def _axes(shape: tuple[int | None, ...]) -> list[int | str]:
    return ["?" if size is None else size for size in shape]
