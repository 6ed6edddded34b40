"""What tests need and a machine may lack: without it they skip, or fail where NEEDS_<KIND>=1."""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NoReturn

import pytest


def required(kind: str) -> bool:
    """Whether a machine must have what is of this kind, such as TOOLS, a program or a package."""
    return os.environ.get(f"NEEDS_{kind}") == "1"


def needed(found: object, reason: str) -> pytest.MarkDecorator:
    """Skips tests for this reason where nothing is found, unless they are required."""
    return pytest.mark.skipif(found is None and not required("TOOLS"), reason=reason)


def missing(reason: str, kind: str = "TOOLS") -> NoReturn:
    """Skip the test or module that is here, or fail."""
    if required(kind):
        pytest.fail(reason)
    pytest.skip(reason, allow_module_level=True)


def package(name: str) -> Any:
    """The package of this name."""
    if find_spec(name) is None:
        missing(f"{name} is not installed")
    return import_module(name)
