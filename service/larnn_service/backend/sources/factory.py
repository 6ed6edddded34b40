"""From LARNN_MODELS to the folder that models are loaded from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from larnn_service.backend.sources.file_system import bucket, hub
from larnn_service.backend.sources.registry import Registered
from larnn_service.backend.sources.source import Source
from larnn_service.errors import StartupError

if TYPE_CHECKING:
    from larnn_service.backend.sources.cache import Cache

_KINDS: dict[str, tuple[str, Callable[[str, float], Source]]] = {
    "s3://": ("s3", bucket),
    "hf://": ("hf", lambda address, _: hub(address)),
    "models:/": ("mlflow", lambda address, _: Registered(address)),
}
"""By the beginning of an address the extra that it needs, and what makes its source
of it and of the seconds that a fetch may take."""


def is_address(models: str) -> bool:
    """Whether the setting names no folder."""
    return models.startswith(tuple(_KINDS))


def open_cache(address: str, folder: Path, max_bytes: int, within: float = math.inf) -> Cache:
    """The cache of this address below the folder; otherwise as `Cache`. Raises StartupError."""
    from larnn_service.backend.sources.cache import Cache  # its locks are not Windows'

    kind = next(kind for kind in _KINDS if address.startswith(kind))
    extra, make = _KINDS[kind]
    try:
        source = make(address, within)
    except ImportError as error:
        raise StartupError(
            f"LARNN_MODELS={address} needs packages that are not installed: "
            f"pip install 'larnn[{extra}]', or docker build --build-arg EXTRAS={extra} ({error})"
        ) from error
    except StartupError:
        raise
    except Exception as error:
        raise StartupError(f"LARNN_MODELS={address}: {error}") from error
    own = hashlib.sha256(address.encode()).hexdigest()[:16]
    return Cache(folder / own, source, address, max_bytes, within)
