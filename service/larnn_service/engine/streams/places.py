"""The streams in memory: how many there may be, of all and of one owner, and what they keep."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator

from larnn_service.engine.streams.stream import Stream
from larnn_service.errors import Backpressure, Full

FREE = 2**12
"""Bytes of answers that each stream may keep, however much others do."""


class Places:
    """Of one replica."""

    def __init__(
        self,
        max_streams: int,
        max_of_owner: int | None = None,
        max_kept_bytes: int = 2**28,
        max_kept_of_owner: int | None = None,
    ) -> None:
        """`max_of_owner`: streams of one owner, where there are several; `max_kept_of_owner`:
        bytes of answers that they keep together."""
        self._most, self._max_of_owner = max_streams, max_of_owner
        self._max_kept, self._max_kept_of_owner = max_kept_bytes, max_kept_of_owner
        self._by_id: dict[str, Stream] = {}
        self._of: Counter[str] = Counter()
        self._kept_of: Counter[str] = Counter()
        self._coming = 0
        self.kept_bytes = 0
        """Of the answers that nobody has acknowledged."""

    def __iter__(self) -> Iterator[Stream]:
        return iter(list(self._by_id.values()))

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, stream_id: str) -> Stream | None:
        """The stream of that id, where it is in memory."""
        return self._by_id.get(stream_id)

    def add(self, stream: Stream) -> None:
        """It comes into memory."""
        self._by_id[stream.id] = stream
        self._of[stream.owner] += 1
        self.note(stream)

    def note(self, stream: Stream) -> None:
        """It keeps other answers than before."""
        now = stream.checkpoint
        size = now.outputs.nbytes if self._by_id.get(now.stream) is stream else 0
        if size != stream.kept_bytes:
            self.kept_bytes += size - stream.kept_bytes
            self._kept_of[stream.owner] += size - stream.kept_bytes
            stream.kept_bytes = size

    def remove(self, stream: Stream) -> None:
        """It leaves memory, where it has not been resumed as another since."""
        if self.get(stream.id) is stream:
            del self._by_id[stream.id]
            self._of[stream.owner] -= 1
            self.note(stream)

    def check_kept(self, size: int, now: int = 0, owner: str = "") -> None:
        """Raises Backpressure where a stream of the owner's that keeps `now` bytes of answers may
        not keep so many."""
        if size <= FREE or size <= now:
            return
        share, kept = self._max_kept_of_owner, self._kept_of[owner]
        if share is not None and kept + size - now > share:
            raise Backpressure(
                f"{kept} bytes of answers are kept for this key's streams and {share} may be; read "
                "the answers and send `acked`"
            )
        if self.kept_bytes + size - now > self._max_kept:
            raise Backpressure(
                f"{self.kept_bytes} bytes of answers are kept for all streams and {self._max_kept} "
                "may be; read the answers and send `acked`"
            )

    @contextlib.contextmanager
    def room(self, owner: str, evict: Callable[[Stream], None] | None) -> Iterator[None]:
        """A place for one more of the owner's. Where there is none, `evict` gets the stream that
        rests for longest. Raises Full where none rests, or the owner has its share."""
        most = self._max_of_owner
        if owner and most is not None and self._of[owner] >= most:
            raise Full(f"this key has {most} streams open, its share; end some", retry_after=5)
        if len(self) + self._coming >= self._most:
            self._make_room(evict)
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1

    def _make_room(self, evict: Callable[[Stream], None] | None) -> None:
        living = [stream for stream in self if not stream.checkpoint.ended]
        if len(living) + self._coming < self._most:
            return
        for stream in sorted(living, key=lambda stream: stream.last_used) if evict else ():
            if stream.connection is None and not stream.dirty and not stream.lock.locked():
                assert evict is not None
                return evict(stream)
        raise Full(f"{self._most} streams are open, the limit; try again", retry_after=5)
