"""From the options of the command line to those of a model.toml."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from larnn_export.importing.options import REQUIRED
from larnn_export.importing.problems import ImportFailed


def pairs(option: str, given: Sequence[str] | None, read: Callable[[str], Any]) -> dict[str, Any]:
    """NAME=VALUE each. Raises ImportFailed."""
    found = {}
    for text in given or ():
        name, sign, value = text.rpartition("=")
        if name in found:
            raise ImportFailed([f"--{option} {name} is said twice: say it once"])
        try:
            found[name] = read(value)
        except ValueError:
            sign = ""
        if not sign or not name:
            raise ImportFailed([f"--{option} {text}: write --{option} NAME=VALUE"])
    return found


def number(text: str) -> int | float | bool:
    """Raises ValueError."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return int(text)
    except ValueError:
        return float(text)


def number_or_file(text: str) -> float | str:
    """A number, or the name of an .npy file. Raises ValueError."""
    return text if text.endswith(".npy") else float(text)


def default(text: str) -> float | str:
    """Likewise, or REQUIRED where there is none."""
    return text if text == REQUIRED else number_or_file(text)


def axes(text: str) -> list[int | str]:
    """b,t,40: b and t as they are, sizes as numbers. Raises ValueError."""
    return [each if each in ("b", "t") else int(each) for each in text.replace(" ", "").split(",")]


def names(text: str | None) -> list[str]:
    """Between commas."""
    return [each.strip() for each in (text or "").split(",") if each.strip()]


def with_units(text: str | None, unit: str = "1") -> list[dict[str, str]]:
    """Between commas, each with its unit in brackets or not: `left [m], right [m]`."""
    found = []
    for each in names(text):
        match = re.fullmatch(r"(.*?)\s*\[(.*)\]", each)
        name, its_unit = match.groups() if match else (each, unit)
        found.append({"name": name, "unit": its_unit})
    return found


def without_none(fields: dict[str, Any]) -> dict[str, Any]:
    """What was said alone."""
    return {key: value for key, value in fields.items() if value not in (None, [], {}, ())}
