"""API keys: `python -m service keys NAME` makes one. The service is told their hashes alone."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import sys

from larnn_service.errors import StartupError
from larnn_service.settings import entries

_ENTRY = re.compile(r"(?P<owner>[A-Za-z0-9._-]{1,64}):(?P<digest>[0-9a-fA-F]{64})")


class ApiKeys:
    """The keys that open the service; several may belong to one owner, so that they can change."""

    def __init__(self, setting: str) -> None:
        """`OWNER:SHA256,…`. Raises StartupError, without what may be a key written by mistake."""
        self._digests: list[tuple[str, bytes]] = []
        for number, entry in enumerate(entries(setting), start=1):
            match = _ENTRY.fullmatch(entry)
            if match is None:
                raise StartupError(
                    f"LARNN_API_KEYS: entry {number} is not NAME:HASH with the 64 hex digits of a "
                    "key's SHA-256; python -m service keys NAME makes both"
                )
            self._digests.append((match["owner"], bytes.fromhex(match["digest"])))

    def __bool__(self) -> bool:
        """Whether the service asks for a key at all."""
        return bool(self._digests)

    def owners(self) -> set[str]:
        """Every name that a key has."""
        return {owner for owner, _ in self._digests}

    def owner(self, key: str) -> str | None:
        """Whose key it is; in a time that does not tell how much of it is right."""
        digest, owner = hashlib.sha256(key.encode()).digest(), None
        for name, known in self._digests:
            if hmac.compare_digest(digest, known):
                owner = name
        return owner


def new_key(owner: str) -> tuple[str, str]:
    """A random key and its entry for the setting."""
    key = secrets.token_urlsafe(32)
    return key, f"{owner}:{hashlib.sha256(key.encode()).hexdigest()}"


def main(arguments: list[str]) -> int:
    """Print a new key and its entry for the setting."""
    if len(arguments) != 1 or not re.fullmatch(r"[A-Za-z0-9._-]{1,64}", arguments[0]):
        sys.stderr.write("python -m service keys NAME    NAME of letters, digits, . _ -\n")
        return 2
    key, entry = new_key(arguments[0])
    sys.stdout.write(f"key            {key}\nLARNN_API_KEYS {entry}\n")
    return 0
