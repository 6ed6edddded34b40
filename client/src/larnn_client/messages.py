"""What goes over the wire, both ways, and the types in which it reaches the caller."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from larnn_client.errors import ProtocolError, Refused, refused
from larnn_client.inputs import Context, Input, read_context, read_input

Floats = NDArray[np.float32]
Steps = NDArray[Any]
"""float32, or int16 samples of a model that scales them."""
Binary = bool | Literal["int16"]
"""Whether chunks are binary frames, of float32 or of int16."""
BINARY: Mapping[Binary, str] = {True: "larnn.f32.v1", "int16": "larnn.i16.v1"}
"""The subprotocols of binary chunks."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says of a sequence, or of a step of a stream. What is there depends on the
    task of its output: see `Output`."""

    label: str | None = None
    """Of classes."""
    probabilities: Mapping[str, float] = field(default_factory=dict)
    """Of classes, tags and probabilities, by label."""
    logits: tuple[float, ...] | None = None
    """[classes], where asked."""
    values: Mapping[str, float] = field(default_factory=dict)
    """Of values, by name."""
    output: Any = None
    """Of a raw output: nested lists of its shape."""
    outputs: Mapping[str, Answer] = field(default_factory=dict)
    """Further outputs by name, where asked."""


@dataclass(frozen=True, slots=True)
class Prediction(Answer):
    """The answer to a chunk, of its last step."""

    position: int = 0
    """Steps of the stream up to the end of the chunk."""
    durable: int = 0
    """Steps that the service's store holds."""
    steps: tuple[Answer, ...] | None = None
    """One for each step of the chunk that `emit` asks for; none with "last"."""


@dataclass(frozen=True, slots=True)
class Classification:
    """The answer to `classify`."""

    model: str
    version: int
    predictions: tuple[Answer, ...]
    """One for each sequence, in order."""


@dataclass(frozen=True, slots=True)
class Output:
    """An output of a model, the first of which is its answer."""

    name: str
    task: str
    """`classes`: a label and probabilities that add up to 1. `tags`: a probability of each label by
    itself. `probability`: likewise, as the network gives it. `values`: numbers with names and
    units. `raw`: an array."""
    dtype: str
    labels: tuple[str, ...] = ()
    """What its numbers are called; none of a raw output."""
    units: tuple[str, ...] = ()
    """Of values."""
    shape: tuple[int, ...] = ()
    """Of one step of a raw output; none of a number."""


@dataclass(frozen=True, slots=True)
class Model:
    """A served model."""

    name: str
    version: int
    description: str
    provider: str
    """The execution provider that runs it."""
    sample_rate_hz: float | None
    """Of the steps; None where they have no rate."""
    input: Input
    """What a step is."""
    labels: tuple[str, ...]
    """Of its answer; none where that has values, or is raw."""
    outputs: tuple[Output, ...] = ()
    """The answer first."""
    context: tuple[Context, ...] = ()
    """What is given once, when a stream opens or with a request."""

    @property
    def channels(self) -> Mapping[str, str]:
        """Name to unit, in the order of a step's numbers."""
        return self.input.channels


@dataclass(frozen=True, slots=True)
class Models:
    """What a service serves."""

    default: str
    """The model that answers a request which names none."""
    models: tuple[Model, ...]


@dataclass(frozen=True, slots=True)
class Opened:
    """A stream as the service sees it."""

    stream: str
    """The stream's id. Whoever has it, and the key that opened it, can resume the stream."""
    model: str
    version: int
    position: int
    durable: int
    survives: str
    """What the service's store can promise: `connection`, `restart` or `replica`."""
    input: Input
    """What a step is."""
    labels: tuple[str, ...]
    outputs: tuple[Output, ...] = ()

    @property
    def channels(self) -> tuple[str, ...]:
        """What the numbers of a step are called, in their order."""
        return tuple(self.input.channels)


@dataclass(frozen=True, slots=True)
class Ended:
    """The stream has ended at this position."""

    position: int


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Steps [steps, channels] of a stream, `offset` of them before."""

    offset: int
    steps: Steps

    @property
    def end(self) -> int:
        return self.offset + len(self.steps)


END = '{"type": "end"}'


def encode(chunk: Chunk, acked: int, *, binary: Binary) -> str | bytes:
    """A chunk as a frame. A binary one acknowledges everything before its offset."""
    if binary:
        samples = "<i2" if binary == "int16" else "<f4"
        return struct.pack("<Q", chunk.offset) + chunk.steps.astype(samples, copy=False).tobytes()
    steps = chunk.steps.tolist()
    return json.dumps({"type": "chunk", "offset": chunk.offset, "acked": acked, "steps": steps})


def decode(text: str | bytes) -> Opened | Prediction | Ended | Refused:
    """A message of the service. Raises ProtocolError."""
    try:
        message = json.loads(text)
        match message["type"]:
            case "opened":
                return opened(message)
            case "prediction":
                return _prediction(message)
            case "ended":
                return Ended(int(message["position"]))
            case "error":
                return error(message)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ProtocolError(f"the service sent what cannot be read: {problem!r}") from None
    raise ProtocolError(f"the service sent a message of an unknown type: {message['type']!r}")


def opened(message: dict[str, Any]) -> Opened:
    """The service's word of a stream that it opened or resumed."""
    return Opened(
        stream=message["stream"],
        model=message["model"],
        version=message["version"],
        position=int(message["position"]),
        durable=int(message["durable"]),
        survives=message["survives"],
        input=read_input(message, dict.fromkeys(message["channels"], "")),
        labels=tuple(message["labels"]),
        outputs=_outputs(message),
    )


def _outputs(described: dict[str, Any]) -> tuple[Output, ...]:
    """Those of a stream or a model; a service of before there were tasks tells none."""
    return tuple(_output(output) for output in described.get("outputs", ()))


def _output(described: dict[str, Any]) -> Output:
    values = described.get("values", ())
    names = (value["name"] for value in values)
    return Output(
        name=described["name"],
        task=described["task"],
        dtype=described["dtype"],
        labels=tuple(described.get("labels", names)),
        units=tuple(value["unit"] for value in values),
        shape=tuple(described.get("shape", ())),
    )


def error(message: dict[str, Any], retry_after: float | None = None) -> Refused:
    """The exception for an error that the service tells."""
    return refused(
        message["code"],
        message["detail"],
        expected_offset=message.get("expected_offset"),
        retry_after=retry_after,
    )


def classification(message: dict[str, Any]) -> Classification:
    """The answer to a classify request."""
    predictions = tuple(_answer(item) for item in message["predictions"])
    return Classification(message["model"], message["version"], predictions)


def models(message: dict[str, Any]) -> Models:
    """The models that the service serves."""
    return Models(message["default"], tuple(_model(item) for item in message["models"]))


def _model(item: dict[str, Any]) -> Model:
    return Model(
        name=item["name"],
        version=item["version"],
        description=item["description"],
        provider=item["provider"],
        sample_rate_hz=item["sample_rate_hz"],
        input=read_input(item, {channel["name"]: channel["unit"] for channel in item["channels"]}),
        labels=tuple(item["labels"]),
        outputs=_outputs(item),
        context=read_context(item),
    )


def _answer(item: dict[str, Any]) -> Answer:
    return Answer(**_fields(item))


def _fields(item: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {
        name: item[name] for name in ("label", "probabilities", "values", "output") if name in item
    }
    if (logits := item.get("logits")) is not None:
        fields["logits"] = tuple(logits)
    outputs = item.get("outputs", {})
    return fields | {"outputs": {name: _answer(output) for name, output in outputs.items()}}


def _prediction(message: dict[str, Any]) -> Prediction:
    steps = message.get("predictions")
    return Prediction(
        **_fields(message),
        position=int(message["position"]),
        durable=int(message["durable"]),
        steps=None if steps is None else tuple(_answer(step) for step in steps),
    )
