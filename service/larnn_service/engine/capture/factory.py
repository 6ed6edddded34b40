"""Capture as the settings want it."""

from __future__ import annotations

from larnn_service.engine.capture.capture import Capture
from larnn_service.engine.capture.folder import Folder
from larnn_service.errors import StartupError
from larnn_service.settings import Settings, entries
from larnn_service.telemetry.metrics import Metrics


def open_capture(settings: Settings, owners: set[str], metrics: Metrics) -> Capture | None:
    """None where nothing is captured; `owners`: those of keys. Raises StartupError."""
    if settings.capture is None:
        return None
    wanted = frozenset(entries(settings.capture_owners))
    if strangers := sorted(wanted - owners):
        raise StartupError(
            f"LARNN_CAPTURE_OWNERS: {', '.join(strangers)} has no key in LARNN_API_KEYS"
        )
    try:
        from larnn_service.engine.capture.writer import Writer
    except ImportError as error:
        raise StartupError(
            "LARNN_CAPTURE needs a package that is not installed: make serve EXTRAS=capture, "
            f"docker build --build-arg EXTRAS=capture, or pip install 'larnn[capture]' ({error})"
        ) from error
    folder = Folder(settings.capture.expanduser())
    try:
        folder.prepare()
    except OSError as error:
        raise StartupError(
            f"LARNN_CAPTURE={folder.root} cannot be written: {error.strerror or error}"
        ) from error
    return Capture(settings, wanted, folder, Writer(folder).write, metrics)
