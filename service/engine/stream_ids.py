"""Stream ids: unguessable, and signed, so that one of ours that is gone is told from any other."""

from __future__ import annotations

import hmac
import re
import secrets
from hashlib import blake2s

_FORM = re.compile(r"[0-9a-f]{48}")


class StreamIds:
    """Makes and recognises ids under one secret."""

    def __init__(self, secret: str) -> None:
        self._key = blake2s(secret.encode()).digest()

    def new(self) -> str:
        name = secrets.token_hex(16)
        return name + self._signature(name)

    def is_possible(self, stream: str) -> bool:
        """Whether it has the form of an id: no other text is worth a question to the store."""
        return _FORM.fullmatch(stream) is not None

    def is_ours(self, stream: str) -> bool:
        name, signature = stream[:32], stream[32:]
        return hmac.compare_digest(self._signature(name).encode(), signature.encode())

    def _signature(self, name: str) -> str:
        return blake2s(name.encode(), key=self._key, digest_size=8).hexdigest()
