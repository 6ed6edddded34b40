"""Tables of Markdown, from results: a specification is the table's head and the line of a row.

A line is a format string, with the row's fields in braces. Where a cell is more than a field, a
function computes the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from statistics import mean, stdev
from typing import Any

Record = Any
Row = dict[str, Any]
Rows = Callable[[Record], Iterable[Row]]
Renderer = Callable[[Record], str]


def table(head: str, lines: Iterable[str]) -> str:
    """The head, with | between its columns, and lines of the same form."""
    rule = " | ".join(["---"] * (head.count(" | ") + 1))
    return "".join(f"| {line} |\n" for line in [head, rule, *lines])


def specified(head: str, line: str, rows: str | Rows) -> Renderer:
    """`rows` is the field of the result that has them, or a function of it."""

    def render(record: Record) -> str:
        found = record[rows] if isinstance(rows, str) else rows(record)
        return table(head, (line.format_map(row) for row in found))

    return render


def spread(values: list[float], form: str) -> str:
    """Mean ± sample standard deviation; a dash where there is no value."""
    if not values:
        return "–"
    text = form.format(mean(values))
    return f"{text} ± {form.format(stdev(values))}" if len(values) > 1 else text


def latency(row: Row) -> str:
    p50, p99 = (f"{v:.2g}" if v < 10 else f"{v:.0f}" for v in (row["p50_ms"], row["p99_ms"]))
    return f"{p50} / {p99}"


OURS = ("ours", "ours binary", "ours JSON")


def beside(row: Row, name: str) -> str:
    """A figure; of another server also its ratio to this service's: the rounds' median, lowest and
    highest. Each ratio is of one round, so that it is not the ratio of two medians."""
    if row["server"] in OURS:
        return f"{row[name]:.0f}"
    low, high = row[f"{name}_of_ours_spread"]
    return f"{row[name]:.0f} ({row[f'{name}_of_ours']:.2f}: {low:.2f} to {high:.2f})"


def pivot(rows: Iterable[Row], index: tuple[str, ...], by: str) -> dict[Any, dict[Any, Row]]:
    """The rows by the values of `index`, and there by that of `by`, all in the order they came."""
    found: dict[Any, dict[Any, Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[name] for name in index), {})[row[by]] = row
    return found
