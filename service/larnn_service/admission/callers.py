"""Who calls, by their key, and how much of each is at work."""

from __future__ import annotations

import re
from collections import Counter

from larnn_service.admission.keys import ApiKeys
from larnn_service.errors import Full, Unauthorized
from larnn_service.settings import Settings

_BEARER = re.compile(r"bearer +(?P<key>\S+)", re.IGNORECASE)


class Callers:
    """The owners of the settings' keys, over HTTP and gRPC together."""

    def __init__(self, settings: Settings) -> None:
        """Raises StartupError where the keys cannot be read."""
        self._keys = ApiKeys(settings.api_keys)
        self.owners = self._keys.owners()
        self._asks = bool(self._keys)
        self._most = settings.max_at_work_per_key
        self._at_work: Counter[str] = Counter()

    def owner(self, authorization: str, other: str | None = None) -> str:
        """Whose key it is: that of `Bearer KEY`, else the other one. Raises Unauthorized.

        Empty where no keys are set.
        """
        if not self._asks:
            return ""
        match = _BEARER.fullmatch(authorization)
        key = match["key"] if match else other
        if key is None:
            raise Unauthorized("send a key of this service as `Authorization: Bearer KEY`")
        owner = self._keys.owner(key)
        if owner is None:
            raise Unauthorized("this is no key of this service; ask its operator for one")
        return owner

    def check_room(self, owner: str) -> None:
        """Raises Full where the owner has as much at work as one key may."""
        if owner and self._at_work[owner] >= self._most:
            raise Full(f"this key has {self._most} requests and connections at work, its limit")

    def begin(self, owner: str) -> None:
        """One more of the owner's is at work, until its `end`."""
        if owner:
            self._at_work[owner] += 1

    def end(self, owner: str) -> None:
        """One less."""
        if owner:
            self._at_work[owner] -= 1
