"""What a client is told of a stream that it opens, resumes, or asks after."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import UNSET

from larnn_service.engine.engine import Engine
from larnn_service.engine.streams.stream import Stream
from larnn_service.inputs import Input
from larnn_service.outputs import Output
from larnn_service.wire.arrays import version_asked
from larnn_service.wire.context import read_query, start_of
from larnn_service.wire.measured import check_kept, conversion_of, said_in
from larnn_service.wire.stream_schemas import InputInfo, OpenedMessage, OutputInfo


def input_info(step: Input) -> InputInfo:
    """What a step is, as clients are told."""
    return msgspec.convert(step.model_dump(mode="json"), InputInfo)


def output_info(output: Output) -> OutputInfo:
    """An output as clients are told of it."""
    return msgspec.convert(output.model_dump(mode="json"), OutputInfo)


async def open_or_resume(engine: Engine, query: Mapping[str, str], owner: str) -> Stream:
    """The stream that a websocket's address asks for.

    Raises what cannot be of the address, and what `Engine.open` and `Engine.resume` raise.
    """
    if "stream" in query:
        stream = await engine.resume(query["stream"], owner)
        check_kept(stream.model, said_in(query), stream.conversion)
        return stream
    model = engine.model(query.get("model"), version_asked(query))
    start, wanted = start_of(model, read_query(query)), conversion_of(model, said_in(query))
    return await engine.open(model, owner=owner, state=start, conversion=wanted)


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
        units=stream.checkpoint.measured.units or UNSET,
        axes=stream.checkpoint.measured.axes or UNSET,
    )
