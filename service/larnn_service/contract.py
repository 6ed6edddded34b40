"""The model contract: what the export writes, the graph's metadata repeats and the service checks.

Everything that tells one recurrent network from another is data in here: the service knows
*inputs*, *state tensors* and *logits*, and no network by name. Shared with `export`, so it imports
numpy and pydantic alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

INPUT = "x"
LENGTHS = "lengths"
LOGITS = "logits"
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
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ModelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=64)]


class ContractError(ValueError):
    """A model whose manifest, metadata and graph disagree. `field` says where."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Channel(_Strict):
    """One input channel and its physical unit."""

    name: str
    unit: str


class Vocabulary(_Strict):
    """Tokens in place of measured values: each step is one, from 0 to `size` - 1."""

    size: int = Field(ge=2, le=2**24)
    """At most what float32 counts exactly."""
    file: FileName
    """What makes tokens of text: a SentencePiece model beside the manifest."""
    sha256: Sha256


class StateTensor(_Strict):
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


class TensorSignature(_Strict):
    """A graph input or output as the runtime reports it; a dynamic axis is None."""

    name: str
    dtype: str
    shape: tuple[int | None, ...]


class Contract(_Strict):
    """What a client and the service must know of a network; repeated in the graph's metadata."""

    channels: tuple[Channel, ...] = Field(min_length=1)
    labels: tuple[str, ...] = Field(min_length=2)
    sample_rate_hz: float | None = Field(gt=0)
    """None where steps have no time between them."""
    state: tuple[StateTensor, ...] = Field(min_length=1)
    vocabulary: Vocabulary | None = Field(None, exclude_if=lambda value: value is None)
    """Where the one channel holds tokens."""

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        for field, names in (
            ("channels", [channel.name for channel in self.channels]),
            ("labels", list(self.labels)),
            ("state", [tensor.name for tensor in self.state]),
        ):
            if len(set(names)) != len(names):
                raise ValueError(f"{field}: names must be unique, got {names}")
        return self

    @model_validator(mode="after")
    def _tokens_have_one_channel(self) -> Self:
        if self.vocabulary is not None and len(self.channels) != 1:
            raise ValueError(f"channels: tokens come in one, got {len(self.channels)}")
        return self

    @property
    def input_dtype(self) -> Dtype:
        return "float32" if self.vocabulary is None else "int64"

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
        """Graph outputs: logits [batch, steps, classes], then each next state tensor."""
        return [
            TensorSignature(name=LOGITS, dtype="float32", shape=(None, None, len(self.labels))),
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


class File(_Strict):
    """A file beside the manifest."""

    file: FileName
    sha256: Sha256


class GraphFile(File):
    """An ONNX file."""

    data: tuple[File, ...] = Field((), exclude_if=lambda value: not value)
    """The files that it calls its external data: weights that are not in it."""


class Manifest(_Strict):
    """models/<name>/<version>/model.json."""

    format: Literal[1] = 1
    name: ModelName
    version: int = Field(ge=1, le=MAX_VERSION)
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
