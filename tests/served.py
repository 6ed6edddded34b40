"""Models that are in no folder, as the engine has them."""

from __future__ import annotations

from pathlib import Path

from service.backend.base import Model
from service.backend.repository import Repository
from service.engine.models import Models


def served(*models: Model) -> Models:
    """These serve, and there is no other."""
    return Models(Repository(Path("no-such-folder")), models, default="toy")
