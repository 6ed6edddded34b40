"""What each part of the LARNN is worth, as a table."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import table

Record = dict[str, Any]


def questions(record: Record) -> str:
    """Accuracy on the people held out, and the differences from the published network."""
    head = ["network", "held-out people", "folds", "difference over folds", "over people"]
    return table(head, [_line(row) for row in record["rows"]])


def _line(row: Record) -> list[str]:
    accuracy = f"{row['mean']:.2%} ± {row['sd']:.2%}" if "mean" in row else "–"
    differences = [_difference(row.get(name)) for name in ("over_folds", "over_people")]
    return [row["what"], accuracy, str(len(row["folds"])), *differences]


def _difference(found: Record | None) -> str:
    if found is None:
        return "–"
    return "{mean:+.2f} ({low:+.2f} to {high:+.2f})".format(
        **{name: 100 * value for name, value in found.items() if name != "each"}
    )
