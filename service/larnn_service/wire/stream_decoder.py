"""From a websocket's message to what its client asks for: a chunk, or the end."""

from __future__ import annotations

from larnn_service.chunk import Chunk
from larnn_service.conversion.conversion import Conversion
from larnn_service.errors import BadMessage, TooLarge
from larnn_service.interfaces import Model
from larnn_service.wire.answer_options import AnswerOptions
from larnn_service.wire.arrays import binary_chunk, chunk_steps
from larnn_service.wire.json_bodies import decode_json
from larnn_service.wire.measured import converted
from larnn_service.wire.stream_schemas import FROM_CLIENT, ChunkMessage
from larnn_service.wire.subprotocols import FORMS, form

NUMBER, TOKEN, BESIDE = 32, 96, 2**12
"""Bytes that a number of a chunk, a token of its text, and all the rest of it may take in JSON."""


class ChunkRequest(Chunk, frozen=True, eq=False):
    """A chunk, and what to answer."""

    options: AnswerOptions = AnswerOptions()
    traceparent: str | None = None


class StreamDecoder:
    """Decodes the messages of one connection."""

    def __init__(
        self, subprotocol: str | None, options: AnswerOptions, max_chunk_steps: int
    ) -> None:
        """`subprotocol`: what was agreed on. `options` are those of the address.

        Raises BadMessage where its answers have no room for what the address asks.
        """
        self._subprotocol, self._options = subprotocol, options
        self._form = form(subprotocol)
        if self._form.all_binary and options.explain:
            raise BadMessage(f"{subprotocol} carries no attention; explain goes with JSON answers")
        self._max_chunk_steps = max_chunk_steps
        self._checked: Model | None = None
        """Can answer as the address asks."""

    def decode(
        self, message: bytes, is_text: bool, model: Model, wanted: Conversion | None = None
    ) -> ChunkRequest | None:
        """The chunk that the message holds, its steps as `wanted` makes them, or None for the end.

        What is larger than any chunk is refused unread. Raises BadJson, BadMessage, BadShape,
        BadValue, EmptyChunk, TooLarge.
        """
        options = self._options
        if not is_text:
            if self._form.samples is None:
                names = ", ".join(FORMS)
                raise BadMessage(f"binary frames need a subprotocol: {names}; send JSON as text")
            offset, acked, steps = binary_chunk(
                message, model, self._form.samples, self._form.all_binary, self._max_chunk_steps
            )
            steps = converted(steps, wanted, model, "steps")
            self._check(options, model)
            return ChunkRequest(offset, steps, acked, options)
        contract = model.manifest.contract
        beside = BESIDE + self._max_chunk_steps * TOKEN
        most = max(beside, BESIDE + self._max_chunk_steps * NUMBER * contract.input.width)
        if len(message) > most:
            raise TooLarge(
                f"the message has {len(message)} bytes; a chunk of {self._max_chunk_steps} steps, "
                f"the most that may be, takes no more than {most}"
            )
        decoded = decode_json(FROM_CLIENT, message, beside)
        if not isinstance(decoded, ChunkMessage):
            return None
        if self._form.samples is not None:
            raise BadMessage(
                f"under {self._subprotocol} a chunk is a binary frame; only `end` is text"
            )
        options = options.but(decoded)
        self._check(options, model)
        steps = converted(
            chunk_steps(decoded, model, self._max_chunk_steps), wanted, model, "steps"
        )
        return ChunkRequest(decoded.offset, steps, decoded.acked, options, decoded.traceparent)

    def _check(self, options: AnswerOptions, model: Model) -> None:
        """Raises BadMessage where the model cannot answer so; those of the address are asked
        about once."""
        if options is self._options and model is self._checked:
            return
        options.check(model.manifest.contract, model.manifest.name, self._form.all_binary)
        if options is self._options:
            self._checked = model
