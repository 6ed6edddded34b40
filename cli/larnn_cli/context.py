"""What a model is told once: `--context NAME=VALUE`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
import typer

Context = Annotated[
    list[str] | None,
    typer.Option(
        "--context",
        help="NAME=VALUE that the model is told once; VALUE is JSON, such as 16000 or [0.5, 2], or "
        "a .npy file; again for each",
    ),
]


def read_context(options: Sequence[str] | None) -> dict[str, Any]:
    """Values by name. Raises typer.BadParameter."""
    return dict(map(_read, options or ()))


def _read(option: str) -> tuple[str, Any]:
    name, separator, value = option.partition("=")
    if not name or not separator:
        raise typer.BadParameter(f"{option!r}: write NAME=VALUE", param_hint="--context")
    try:
        if value.endswith(".npy"):
            with open(value, "rb") as file:
                return name, np.lib.format.read_array(file, allow_pickle=False)
        return name, json.loads(value)
    except (OSError, ValueError, MemoryError) as error:
        raise typer.BadParameter(
            f"{name}: {value!r} is neither JSON nor a .npy file: {error}", param_hint="--context"
        ) from error
