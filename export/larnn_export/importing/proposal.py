"""A model.toml that says what was found in a file, and what is missing."""

from __future__ import annotations

import json
from typing import Any

from larnn_export.importing.look import look
from larnn_export.importing.options import Options
from larnn_export.importing.original import Original


def propose(original: Original, options: Options) -> str:
    """Its text: a person completes it and imports with --config."""
    found = look(original, options)
    paired = found.paired
    lines = [f"# {original.file.name}, written by {original.producer}"]
    lines += [f"# takes {tensor}" for tensor in original.inputs.values()]
    lines += [f"# gives {tensor}" for tensor in original.outputs.values()]
    lines += [f"# missing: {problem}" for problem in found.problems.found]
    said: dict[str, Any] = {"name": options.name, "version": options.version}
    said |= options.model_dump(mode="json", exclude_defaults=True)
    said["input"] = {"names": paired.data, **said.get("input", {})}
    said["state"] = paired.state
    outputs = said.get("outputs") or [{"name": n, "task": "raw"} for n in paired.answers]
    plain = {key: value for key, value in said.items() if not isinstance(value, dict)}
    plain.pop("outputs", None)
    lines += ["", *_fields(plain)]
    for key, table in said.items():
        if isinstance(table, dict):
            lines += ["", f"[{key}]"]
            for name, value in table.items():
                how = f"  # by {paired.found_by[name]}" if key == "state" else ""
                lines += [line + how for line in _fields({name: value})]
    for output in outputs:
        lines += ["", "[[outputs]]", *_fields(output)]
    return "\n".join(lines) + "\n"


def _fields(fields: dict[str, Any]) -> list[str]:
    return [f"{json.dumps(key)} = {_value(value)}" for key, value in fields.items()]


def _value(value: Any) -> str:
    """TOML of a value of JSON."""
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(_fields(value)) + "}"
    return json.dumps(value)
