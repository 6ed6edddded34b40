"""The error of a module that cannot be served."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from larnn_export.reasons import reason

PAGE = "docs/own-network.md tells what becomes of which modules"


class ModuleError(ValueError):
    """A module that does not do what its contract says, or what a stream needs; the text says which
    tensor, and what to do."""


@contextlib.contextmanager
def told_as(what: str, do: str = "") -> Iterator[None]:
    """Whatever is raised in here becomes a ModuleError of one line, with its cause behind it."""
    try:
        yield
    except ModuleError:
        raise
    except Exception as error:  # anything may come out of somebody's module, or of an exporter
        raise ModuleError(f"{what}: {reason(error)}{do and f'; {do}'}") from error
