"""What goes over the wire beside the answers, both ways, and the types in which it is read."""

from __future__ import annotations

import contextlib
import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from larnn_client.answers import Classification, Output, Prediction
from larnn_client.errors import ProtocolError, Refused, refused
from larnn_client.inputs import Context, Input, read_context, read_input
from larnn_client.reading import AnswerReader

Floats = NDArray[np.float32]
Steps = NDArray[Any]
"""float32, or int16 samples of a model that scales them."""
Binary = bool | Literal["int16"]
"""Whether chunks and answers are binary frames, chunks of float32 or of int16."""
BINARY: Mapping[Binary, str] = {True: "larnn.f32.v2", "int16": "larnn.i16.v2"}
"""Their subprotocols."""
JSON = "larnn.json.v1"


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
    outputs: tuple[Output, ...]
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
    """What the service's store can promise: `connection`, `restart`, `replica` or `failover`."""
    input: Input
    """What a step is."""
    labels: tuple[str, ...]
    outputs: tuple[Output, ...]
    """The answer first."""
    units: str = ""
    """In which steps are sent; empty where these are the model's."""
    axes: str = ""
    """As which they are sent, likewise."""

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
    """A chunk as a frame, which acknowledges the answers up to `acked`."""
    if binary:
        samples = "<i2" if binary == "int16" else "<f4"
        head = struct.pack("<2Q", chunk.offset, acked)
        return head + chunk.steps.astype(samples, copy=False).tobytes()
    steps = chunk.steps.tolist()
    return json.dumps({"type": "chunk", "offset": chunk.offset, "acked": acked, "steps": steps})


def decode(
    message: str | bytes, reader: AnswerReader | None
) -> Opened | Prediction | Ended | Refused:
    """A message of the service; `reader` reads the answers, once there may be any. Raises
    ProtocolError."""
    with understood():
        if isinstance(message, bytes):
            return _reading(reader).of_frame(message)
        told = json.loads(message)
        match told["type"]:
            case "opened":
                return opened(told)
            case "prediction":
                return _reading(reader).of_message(told)
            case "ended":
                return Ended(int(told["position"]))
            case "error":
                return error(told)
        raise ValueError(f"a message of the type {told['type']!r}")


@contextlib.contextmanager
def understood() -> Iterator[None]:
    """Raises ProtocolError in place of what reading a message raises."""
    try:
        yield
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise ProtocolError(f"the service sent what cannot be read: {problem!r}") from None


def _reading(reader: AnswerReader | None) -> AnswerReader:
    if reader is None:
        raise ValueError("an answer before `opened`")
    return reader


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
        units=message.get("units", ""),
        axes=message.get("axes", ""),
    )


def _outputs(described: dict[str, Any]) -> tuple[Output, ...]:
    """Those of a stream or a model; a service of before there were tasks has classifiers alone."""
    if (outputs := described.get("outputs")) is None:
        return (Output("logits", "classes", "float32", tuple(described["labels"])),)
    return tuple(_output(output) for output in outputs)


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
        unsure_above=described.get("unsure_above"),
    )


def error(message: dict[str, Any], retry_after: float | None = None) -> Refused:
    """The exception for an error that the service tells."""
    return refused(
        message["code"],
        message["detail"],
        expected_offset=message.get("expected_offset"),
        retry_after=retry_after,
    )


def classification(message: dict[str, Any], reader: AnswerReader) -> Classification:
    """The answer to a classify request. Raises ProtocolError."""
    with understood():
        steps = tuple(reader.step(item) for item in message["predictions"])
        return Classification(message["model"], message["version"], steps)


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
