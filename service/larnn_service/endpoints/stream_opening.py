"""What a client is told of a stream that it opens, resumes, or asks after."""

from __future__ import annotations

import msgspec

from larnn_service.engine.engine import Engine
from larnn_service.engine.streams.stream import Stream
from larnn_service.inputs import Input
from larnn_service.outputs import Output
from larnn_service.wire.stream_schemas import InputInfo, OpenedMessage, OutputInfo


def input_info(step: Input) -> InputInfo:
    """What a step is, as clients are told."""
    return msgspec.convert(step.model_dump(mode="json"), InputInfo)


def output_info(output: Output) -> OutputInfo:
    """An output as clients are told of it."""
    return msgspec.convert(output.model_dump(mode="json"), OutputInfo)


def opened(engine: Engine, stream: Stream) -> OpenedMessage:
    """The stream as its client sees it."""
    contract = stream.model.manifest.contract
    return OpenedMessage(
        stream=stream.id,
        model=stream.checkpoint.model,
        version=stream.checkpoint.version,
        position=stream.checkpoint.position,
        durable=stream.durable,
        survives=engine.streams.store.survives,
        input=input_info(contract.input),
        channels=[channel.name for channel in contract.input.channels],
        labels=list(contract.labels),
        outputs=[output_info(output) for output in contract.outputs],
    )
