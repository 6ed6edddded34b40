"""Who may change what the service serves."""

from __future__ import annotations

from larnn_service.admission.keys import ApiKeys
from larnn_service.errors import Forbidden, StartupError
from larnn_service.settings import Settings, entries


class Operators:
    """The owners of keys that LARNN_OPERATORS names. Without keys, whoever is on this machine."""

    def __init__(self, settings: Settings) -> None:
        """Raises StartupError where it names an owner without a key."""
        owners = ApiKeys(settings.api_keys).owners()
        self._names = set(entries(settings.operators))
        if strangers := sorted(self._names - owners):
            raise StartupError(
                f"LARNN_OPERATORS: {', '.join(strangers)} has no key in LARNN_API_KEYS; "
                "python -m service keys NAME makes one"
            )
        self._anyone = not owners and settings.is_local and not settings.allow_anyone

    def check(self, owner: str) -> None:
        """Raises Forbidden unless this caller may."""
        if not (self._anyone or owner in self._names):
            raise Forbidden(
                "only an operator may load, unload and migrate models: "
                "name the owner of the key in LARNN_OPERATORS"
            )
