"""The first things that a process of the service does: settings, log, and why it does not start."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator, Sequence

from pydantic import ValidationError
from pydantic_settings import CliApp

from larnn_service import variables
from larnn_service.errors import StartupError
from larnn_service.settings import Settings
from larnn_service.telemetry import logs

logger = logging.getLogger(__name__)

_FORMAT = "--log-format"
SOON = 2.0
"""Seconds from a signal to the end of a process that does not serve yet."""


def read_settings(flags: list[str]) -> Settings:
    """The settings of flags and environment; from now on the log is as they say. Raises
    ValidationError, in the log's form where that could be read."""
    logs.configure("info", "json" if _asks_for_json(flags) else "text")
    settings = CliApp.run(Settings, cli_args=flags)
    logs.configure(settings.log_level, settings.log_format)
    for warning in variables.warnings(os.environ, Settings.model_fields):
        logger.warning(warning)
    return settings


def _asks_for_json(flags: Sequence[str]) -> bool:
    """Also where other settings are no good."""
    asked = os.environ.get("LARNN_LOG_FORMAT", "")
    for index, flag in enumerate(flags):
        name, has_value, value = flag.partition("=")
        if name == _FORMAT:
            asked = value if has_value else "".join(flags[index + 1 : index + 2])
    return asked == "json"


def _end(*_: object) -> None:
    """Leave what is at work, such as the loading of models, and end with status 0.

    An exception may be lost: in a library that catches all, or where a handler runs in a callback
    of Python's own. What is left of the process then ends by the alarm.
    """
    if hasattr(signal, "setitimer"):
        signal.signal(signal.SIGALRM, lambda *_: os._exit(0))
        signal.setitimer(signal.ITIMER_REAL, SOON)
    sys.exit(0)


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Says why the service does not start, and ends quietly on a signal."""
    for number in (signal.SIGINT, signal.SIGTERM):  # uvicorn raises them again once it has drained
        signal.signal(number, _end)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nothing has been loaded yet
    try:
        yield
    except (StartupError, ValidationError) as error:
        why = f"the service does not start: {error}"
        if not logs.is_json():
            sys.exit(why)
        logger.error(why)
        sys.exit(1)
