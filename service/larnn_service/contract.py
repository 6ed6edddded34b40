"""The model contract: what the export writes, the graph's metadata repeats and the service checks.

Everything that tells one recurrent network from another is data in here: the service knows
*inputs*, *state tensors* and *outputs*, and no network by name. Shared with `export`, so it imports
numpy and pydantic alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from larnn_service.finite import all_finite
from larnn_service.outputs import LOGITS as LOGITS
from larnn_service.outputs import Channel as Channel
from larnn_service.outputs import Floats, Name, Output, Strict, are_good

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
MAX_VERSION = 2**53 - 1
"""What JSON, every store and every client count exactly."""

Dtype = Literal["float32", "float64", "int64"]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ModelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]
Version = Annotated[int, Field(ge=1, le=MAX_VERSION)]


class ContractError(ValueError):
    """A model whose manifest, metadata and graph disagree. `field` says where."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field


class File(Strict):
    """A file beside the manifest."""

    file: FileName
    sha256: Sha256


class Vocabulary(Strict):
    """Tokens in place of measured values: each step is one, from 0 to `size` - 1."""

    size: int = Field(ge=2, le=2**24)
    """At most what float32 counts exactly."""
    file: FileName | None = Field(None, exclude_if=lambda value: value is None)
    """What makes tokens of text: a SentencePiece model beside the manifest. None where clients
    send tokens alone."""
    sha256: Sha256 | None = Field(None, exclude_if=lambda value: value is None)
    """Of the file."""

    @model_validator(mode="after")
    def _a_file_has_a_checksum(self) -> Self:
        if (self.file is None) != (self.sha256 is None):
            raise ValueError("vocabulary: file and sha256 come together, or not at all")
        return self

    @property
    def tokenizer(self) -> File | None:
        """The file, where there is one."""
        if self.file is None or self.sha256 is None:
            return None
        return File(file=self.file, sha256=self.sha256)


class StateTensor(Strict):
    """One tensor of the recurrent state: graph input `name`, graph output `next_<name>`."""

    name: Name
    shape: tuple[Annotated[int, Field(ge=1)], ...]
    """Without the batch axis, which comes first in the graph."""
    dtype: Dtype
    initial: float = 0.0
    """The value of every element before the first step."""
    maximum: Annotated[int, Field(ge=0)] | None = None
    """The largest value that an integer can have, where it is bounded."""
    description: str

    @property
    def next_name(self) -> str:
        return f"next_{self.name}"

    def initial_array(self, batch: int) -> np.ndarray[Any, Any]:
        """Array [batch, *shape] as it is before the first step."""
        return np.full((batch, *self.shape), self.initial, dtype=self.dtype)


class TensorSignature(Strict):
    """A graph input or output as the runtime reports it; a dynamic axis is None."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


class Contract(Strict):
    """What a client and the service must know of a network; repeated in the graph's metadata."""

    channels: tuple[Channel, ...] = Field(min_length=1)
    outputs: tuple[Output, ...] = Field(min_length=1)
    """The first is the answer; the others are given to those who ask."""
    sample_rate_hz: float | None = Field(gt=0)
    """None where steps have no time between them."""
    state: tuple[StateTensor, ...] = ()
    """Empty where each step is answered by itself."""
    vocabulary: Vocabulary | None = Field(None, exclude_if=lambda value: value is None)
    """Where the one channel holds tokens."""

    @model_validator(mode="before")
    @classmethod
    def _format_1(cls, fields: Any) -> Any:
        """In format 1 every network is a classifier, and `labels` say of what."""
        if isinstance(fields, dict) and "labels" in fields and "outputs" not in fields:
            logits = {"name": "logits", "task": "classes", "labels": fields["labels"]}
            return {name: field for name, field in fields.items() if name != "labels"} | {
                "outputs": (logits,)
            }
        return fields

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for field, names in (
            ("channels", [channel.name for channel in self.channels]),
            (
                "outputs and state",
                [output.name for output in self.outputs] + [tensor.name for tensor in self.state],
            ),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"{field}: names must be unique, got {names}")
        if LOGITS in [tensor.name for tensor in self.state]:
            raise ValueError(f"state: {LOGITS} is the name of a stream's answers in its checkpoint")
        return self

    @model_validator(mode="after")
    def _tokens_have_one_channel(self) -> Self:
        if self.vocabulary is not None and len(self.channels) != 1:
            raise ValueError(f"channels: tokens come in one, got {len(self.channels)}")
        return self

    @property
    def input_dtype(self) -> Dtype:
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

    @cached_property
    def state_bytes(self) -> int:
        """Of one stream's state."""
        return sum(tensor.initial_array(1).nbytes for tensor in self.state)

    def expected_inputs(self) -> list[TensorSignature]:
        """Graph inputs: x [batch, steps, channels], lengths [batch], then each state tensor."""
        return [
            TensorSignature(
                name=INPUT, dtype=self.input_dtype, shape=(None, None, len(self.channels))
            ),
            TensorSignature(name=LENGTHS, dtype="int64", shape=(None,)),
            *(
                TensorSignature(name=t.name, dtype=t.dtype, shape=(None, *t.shape))
                for t in self.state
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
    """1 has `labels` in place of outputs; see `Contract`."""
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
    data_terms: str = Field("", exclude_if=lambda value: not value)
    """On which terms the data that it learned from is given away, as its source says them."""


def _axes(shape: tuple[int | None, ...]) -> list[int | str]:
    return ["?" if size is None else size for size in shape]
