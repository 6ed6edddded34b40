"""The table of a repository's size at two commits, and of its hardest functions."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import Record, Renderer, table


def _lines(record: Record) -> str:
    before, after = record["commits"]
    head = f"folder | files at {before} | lines | files at {after} | lines"
    folders = [
        " | ".join([row["folder"], *(f"{row[at][of]:,}" for at in AT for of in ("files", "lines"))])
        for row in record["rows"]
    ]
    hardest = " | ".join(f"hardest function {at} | complexity | lines" for at in AT)
    functions = [" | ".join(_function(row[at]) for at in AT) for row in record["hardest"]]
    return f"{table(head, folders)}\n{table(hardest, functions)}"


def _function(found: dict[str, Any] | None) -> str:
    if found is None:
        return "gone | |"
    return f"`{found['function']}`, {found['file']} | {found['complexity']} | {found['lines']}"


AT = ("before", "after")
TABLES: dict[str, Renderer] = {"lines": _lines}
