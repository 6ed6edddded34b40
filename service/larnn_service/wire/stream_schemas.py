"""What goes over the wire of a stream, the same by websocket and over plain HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from larnn_service.contract import MAX_VERSION

MOST_POSITION = 2**62
Position = Annotated[int, Meta(ge=0, le=MOST_POSITION)]
Version = Annotated[int, Meta(ge=1, le=MAX_VERSION)]
MOST_EMIT = 2**31 - 1
Emit = Literal["last", "every"] | Annotated[int, Meta(ge=1, le=MOST_EMIT)]
"""Answer for a chunk's last step, for each one too, or for those whose position is a multiple."""


OutputNames = Annotated[list[str], Meta(max_length=64)]
"""Of further outputs."""


def array_schema(depth: int) -> dict[str, Any]:
    """The JSON schema of numbers in arrays of this depth, for fields that are read as they come."""
    items = {"type": "number"} if depth == 1 else array_schema(depth - 1)
    return {"type": "array", "items": items}


class OutputAnswer(Struct):
    """What one output says, by its task: a label and probabilities of classes, probabilities of
    tags, values by their names, or an array as it is."""

    label: str | UnsetType = UNSET
    probabilities: dict[str, float] | UnsetType = UNSET
    logits: list[float] | UnsetType = UNSET
    values: dict[str, float] | UnsetType = UNSET
    output: Any | UnsetType = UNSET


class Answer(OutputAnswer):
    """What the model says of a sequence, or of a step of a stream; further outputs where asked."""

    outputs: dict[str, OutputAnswer] | UnsetType = UNSET


RawSteps = Annotated[msgspec.Raw, Meta(extra_json_schema=array_schema(2))]
"""Numbers [steps][channels], which `wire.arrays` reads."""


class StepsBody(Struct, forbid_unknown_fields=True):
    """Steps [steps][channels] of a stream, or a text of tokens, `offset` of them sent before."""

    offset: Position
    steps: RawSteps | UnsetType = UNSET
    text: str | UnsetType = UNSET
    acked: Position | None = None
    logits: bool | None = None
    emit: Emit | None = None
    explain: bool | None = None
    outputs: OutputNames | None = None
    probabilities: bool | None = None
    unsure: bool | None = None


class ChunkMessage(StepsBody, tag="chunk", tag_field="type"):
    """From the client: the next steps."""

    traceparent: str | None = None


class EndMessage(Struct, tag="end", tag_field="type", forbid_unknown_fields=True):
    """From the client: no more steps will come."""


class ChannelInfo(Struct):
    """A quantity and its unit."""

    name: str
    unit: str


class RangeInfo(Struct):
    """Channels of one unit, called prefix0, prefix1, … where a name is needed."""

    prefix: str
    count: int
    unit: str


class FrameInfo(Struct, omit_defaults=True):
    """So many samples of one signal; `sample_rate_hz` is theirs."""

    samples: int
    unit: str
    sample_rate_hz: float | None = None
    int16_scale: float | None = None
    """What int16 samples are multiplied by; none where these are not accepted."""


class InputInfo(Struct, omit_defaults=True):
    """What a step is, as the manifest has it: channels by name, a range of channels, or a frame of
    samples."""

    channels: list[ChannelInfo] = []
    range: RangeInfo | None = None
    frame: FrameInfo | None = None


class OutputInfo(Struct, omit_defaults=True):
    """An output of the model, as its manifest has it: its name, its task, and what its numbers
    are."""

    name: str
    task: Literal["classes", "tags", "probability", "values", "raw"]
    dtype: str
    labels: list[str] = []
    """Of classes, tags and probability."""
    values: list[ChannelInfo] = []
    shape: list[int] = []
    """Of one step of a raw output; none of a number."""
    unsure_above: float | None = None
    """Of a single value: where it is larger, the answer is not to be relied on."""


class OpenedMessage(Struct, tag="opened", tag_field="type"):
    """To the client, first and whenever it asks: the stream's id and where it stands."""

    stream: str
    model: str
    version: int
    position: int
    durable: int
    survives: Literal["connection", "restart", "replica", "failover"]
    input: InputInfo
    channels: list[str]
    """Of its input; none where that has a range of them, or a frame of samples."""
    labels: list[str]
    """Of its answer; none where that has values, or is raw."""
    outputs: list[OutputInfo]
    units: str | UnsetType = UNSET
    """In which steps are sent, where these are not the model's."""
    axes: str | UnsetType = UNSET
    """As which they are sent, likewise."""


class PredictionMessage(Answer, kw_only=True, tag="prediction", tag_field="type"):
    """To the client: the answer to a chunk, of its last step, and of others where asked."""

    position: int
    durable: int
    predictions: list[Answer] | UnsetType = UNSET
    attention: list[list[list[float]]] | UnsetType = UNSET


class EndedMessage(Struct, tag="ended", tag_field="type"):
    """To the client: the stream has ended at this position."""

    position: int


class ErrorMessage(Struct, tag="error", tag_field="type"):
    """To the client: what is wrong with its message, or why the stream closes."""

    code: str
    detail: str
    expected_offset: int | UnsetType = UNSET


FROM_CLIENT = msgspec.json.Decoder(ChunkMessage | EndMessage)
