"""POST /streams/ID/steps on the wire: a body to a chunk, outputs to a response."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from larnn_service.contract import Contract
from larnn_service.conversion.conversion import Conversion
from larnn_service.errors import BadMessage
from larnn_service.interfaces import Floats, Model
from larnn_service.wire.answer_arrays import npy_response, told_steps
from larnn_service.wire.answer_options import PLAIN, AnswerOptions, options_of
from larnn_service.wire.arrays import chunk_steps, npy_steps
from larnn_service.wire.http import NPY, Head, Response
from larnn_service.wire.json_bodies import decode_json
from larnn_service.wire.measured import check_kept, check_unsaid, converted, said_in
from larnn_service.wire.number_texts import whole_number
from larnn_service.wire.stream_answers import encode_prediction
from larnn_service.wire.stream_decoder import ChunkRequest
from larnn_service.wire.stream_schemas import MOST_POSITION, StepsBody

_STEPS = msgspec.json.Decoder(StepsBody)


def decode_steps(
    head: Head,
    body: bytes | bytearray,
    model: Model,
    limit: int,
    wanted: Conversion | None = None,
    usual: AnswerOptions = PLAIN,
) -> ChunkRequest:
    """The chunk, of at most `limit` steps: JSON, or an array whose options the address has; its
    steps as `wanted` makes them, and `usual` where it says nothing.

    Raises BadJson, BadMessage, BadShape, BadValue, EmptyChunk, TooLarge, and Conflict where the
    address says other units or axes than the stream has.
    """
    if head.query:
        check_kept(model, said_in(head.query), wanted)
    if head.sends_npy:
        options, offset = options_of(head.query, usual), _position(head.query, "offset")
        if offset is None:
            raise BadMessage("in the address: offset says how many steps come before an npy body")
        acked = _position(head.query, "acked")
    else:
        if head.query:
            check_unsaid(head.query, "JSON says it inside", StepsBody.__struct_fields__)
        asked = decode_json(_STEPS, body)
        options, offset, acked = usual.but(asked), asked.offset, asked.acked
    options.check(model.manifest.contract, model.manifest.name, head.accepts_npy)
    if options.explain and head.accepts_npy:
        raise BadMessage(f"{NPY} carries no attention; explain goes with JSON answers")
    steps = npy_steps(body, model, limit) if head.sends_npy else chunk_steps(asked, model, limit)
    return ChunkRequest(offset, converted(steps, wanted, model, "steps"), acked, options)


def encode_steps(
    head: Head,
    contract: Contract,
    outputs: Floats,
    position: int,
    durable: int,
    options: AnswerOptions,
    attention: Floats | None,
) -> Response:
    """The answer to a chunk in the form that the head asks for; see `encode_prediction`."""
    if head.accepts_npy:
        told = told_steps(outputs, position, options.emit)
        about = {"position": position, "durable": durable}
        return npy_response(contract, told, options, about)
    return Response(encode_prediction(contract, outputs, position, durable, options, attention))


def _position(query: Mapping[str, str], name: str) -> int | None:
    if (text := query.get(name)) is None:
        return None
    if (found := whole_number(text)) is None or found > MOST_POSITION:
        raise BadMessage(f"in the address: {name} is a whole number, at least 0")
    return found
