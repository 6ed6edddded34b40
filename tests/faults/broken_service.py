"""The service without one of its checks, named in $BROKEN: what the tests of faults must notice."""

import os

from msgspec.structs import replace

from larnn_service.__main__ import main
from larnn_service.chunk import Chunk
from larnn_service.engine.engine import Engine
from larnn_service.engine.store.valkey import scripts
from larnn_service.engine.streams.advance import Advanced
from larnn_service.engine.streams.advancer import Answer
from larnn_service.engine.streams.stream import Stream

FENCE = b"if tonumber(fence) ~= tonumber(ARGV[3]) then return 'moved' end"


def without_fences() -> None:
    """A store that takes a checkpoint from whoever writes last."""
    assert FENCE in scripts.SAVE
    scripts.SAVE = scripts.SAVE.replace(FENCE, b"")


def without_offsets() -> None:
    """A chunk is run whenever it comes, as if nothing of it had been counted before."""
    advance = Engine.advance

    def as_new(self: Engine, stream: Stream, chunk: Chunk, answer: Answer, **options: bool) -> None:
        here = replace(chunk, offset=stream.checkpoint.position, acked=None)

        def then(told: Advanced | Exception) -> None:
            answer(told._replace(position=chunk.end) if isinstance(told, Advanced) else told)

        advance(self, stream, here, then, **options)

    Engine.advance = as_new  # type: ignore[method-assign]


if __name__ == "__main__":
    {"fence": without_fences, "offset": without_offsets}[os.environ.get("BROKEN", "fence")]()
    main()
