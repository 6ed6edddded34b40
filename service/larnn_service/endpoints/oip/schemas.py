"""The bodies of the protocol's REST form; fields as the protocol names them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from larnn_service.errors import SHOWN

Name = Annotated[str, Meta(max_length=SHOWN)]
"""Of a tensor or a datatype: errors repeat it."""
Number = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
MOST_PARAMETERS = 64
"""Of a request, and of each of its tensors."""
Parameters = Annotated[
    dict[str, bool | Number | float | Annotated[str, Meta(max_length=1024)]],
    Meta(max_length=MOST_PARAMETERS),
]
Size = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Shape = Annotated[list[Size], Meta(max_length=8)]
MOST_TENSORS = 16
"""Of one request, inputs and outputs each."""


class InputTensor(Struct):
    """A tensor of a request: `data`, or `binary_data_size` bytes behind the JSON."""

    name: Name
    datatype: Name
    shape: Shape
    data: msgspec.Raw | UnsetType = UNSET
    parameters: Parameters = {}


class AskedOutput(Struct):
    """A tensor that the client wants."""

    name: Name
    parameters: Parameters = {}


class InferBody(Struct):
    """Tensors to run: whole sequences, or the next steps of one that `sequence_id` names."""

    inputs: Annotated[list[InputTensor], Meta(max_length=MOST_TENSORS)]
    id: Annotated[str, Meta(max_length=1024)] = ""
    parameters: Parameters = {}
    outputs: Annotated[list[AskedOutput], Meta(max_length=MOST_TENSORS)] | UnsetType = UNSET


class OutputTensor(Struct, omit_defaults=True):
    """A tensor of an answer, `data` flat and row after row."""

    name: str
    datatype: str
    shape: list[int]
    data: list[float | int | bool] | UnsetType = UNSET
    parameters: Parameters = {}


class InferAnswer(Struct, omit_defaults=True):
    """What the model gave."""

    model_name: str
    model_version: str
    outputs: list[OutputTensor]
    id: str = ""
    parameters: Parameters = {}


class InferError(Struct):
    """What is wrong, for people, and its code in the table of errors."""

    error: str
    code: str
    expected_offset: int | UnsetType = UNSET


class IndexBody(Struct):
    """Which models to list: all, or those that serve."""

    ready: bool = False


class IndexEntry(Struct):
    """One version of a model."""

    name: str
    version: str
    state: Literal["READY", "UNLOADING", "UNAVAILABLE"]
    reason: str


class RepositoryBody(Struct):
    """Parameters of loading and unloading; none that changes a model is taken."""

    parameters: dict[str, Any] = {}


class ServerLive(Struct):
    """Whether the process lives."""

    live: bool


class ServerReady(Struct):
    """Whether it is warm and able."""

    ready: bool


class ServerMetadata(Struct):
    """What answers, and which extensions of the protocol it has."""

    name: str
    version: str
    extensions: list[str]


class ModelReady(Struct):
    """Whether a model takes requests."""

    name: str
    ready: bool


class TensorMetadata(Struct):
    """An input or output; -1 is any size."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(Struct):
    """What a model takes and gives, its state aside: that stays here."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class StatisticDuration(Struct):
    """How often something was done, and how long all of it took, in nanoseconds."""

    count: int
    ns: int


class InferStatistics(Struct):
    """Of requests, of waiting for a run, and of runs. Gathering a run's inputs and handing out its
    outputs are part of its time; there is no cache."""

    success: StatisticDuration
    fail: StatisticDuration
    queue: StatisticDuration
    compute_input: StatisticDuration
    compute_infer: StatisticDuration
    compute_output: StatisticDuration
    cache_hit: StatisticDuration
    cache_miss: StatisticDuration


class ModelStatistics(Struct):
    """Of one version, since the process started."""

    name: str
    version: str
    inference_count: int
    execution_count: int
    inference_stats: InferStatistics


class Statistics(Struct):
    """Of the versions that were asked for."""

    model_stats: list[ModelStatistics]


REQUESTS = (InferBody, InputTensor, AskedOutput, IndexBody, RepositoryBody)
BODIES = (
    *REQUESTS,
    InferAnswer,
    InferError,
    IndexEntry,
    ServerLive,
    ServerReady,
    ServerMetadata,
    ModelReady,
    ModelMetadata,
    Statistics,
)
