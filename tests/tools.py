"""Programs and packages of the tests: NEEDS_TOOLS=1 fails without them."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

REQUIRED = os.environ.get("NEEDS_TOOLS") == "1"


def needed(found: object, reason: str) -> pytest.MarkDecorator:
    """Skips tests for this reason where nothing is found, unless they are required."""
    return pytest.mark.skipif(found is None and not REQUIRED, reason=reason)


def missing(reason: str) -> None:
    """Skip here, or fail."""
    (pytest.fail if REQUIRED else pytest.skip)(reason)


def package(name: str) -> Any:
    """The package of this name."""
    if find_spec(name) is None:
        missing(f"{name} is not installed")
    return import_module(name)
