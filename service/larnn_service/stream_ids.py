"""Stream ids: unguessable, signed, so that one of ours that is gone is told from any other, and
bound to their owner, so that no store has to know whose they are."""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import blake2s

_FORM = re.compile(r"[0-9a-f]{48}([0-9a-f]{16})?")


class StreamIds:
    """Makes and recognises ids under one secret."""

    def __init__(self, secret: str) -> None:
        self._key = blake2s(secret.encode()).digest()

    def new(self, owner: str = "") -> str:
        """An id of a stream that belongs to this owner; the empty one is anyone's."""
        name = secrets.token_hex(16)
        name += self._mark(name, owner)
        return name + self._signature(name)

    def is_possible(self, stream: str) -> bool:
        """Whether it has the form of an id: no other text is worth a question to the store."""
        return _FORM.fullmatch(stream) is not None

    def is_ours(self, stream: str) -> bool:
        name, signature = stream[:-16], stream[-16:]
        return hmac.compare_digest(self._signature(name).encode(), signature.encode())

    def belongs_to(self, stream: str, owner: str) -> bool:
        """Whether it was made for this owner. Of an id that is not ours it says nothing."""
        name, mark = stream[:32], stream[32:-16]
        return hmac.compare_digest(self._mark(name, owner).encode(), mark.encode())

    def _mark(self, name: str, owner: str) -> str:
        return self._signature(f"{name} of {owner}") if owner else ""

    def _signature(self, name: str) -> str:
        return blake2s(name.encode(), key=self._key, digest_size=8).hexdigest()
