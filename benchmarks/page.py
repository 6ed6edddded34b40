"""python -m benchmarks page: the tables of the documents, from the committed results."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from benchmarks import memories_page, operations, page_bare, questions_page, reliability
from benchmarks.server import ROOT
from benchmarks.tables import table

PAGE = ROOT / "docs" / "performance.md"
RELIABILITY = ROOT / "docs" / "reliability.md"
MEMORIES = ROOT / "docs" / "memories.md"
OPERATIONS = ROOT / "docs" / "operations.md"
TRAINING = ROOT / "docs" / "training.md"
PAGES = (PAGE, RELIABILITY, OPERATIONS, MEMORIES, TRAINING)
RESULTS = ROOT / "benchmarks" / "results"
PLACE = re.compile(r"(<!-- (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)

OURS = ("ours", "ours binary", "ours JSON")

Record = dict[str, Any]
Row = dict[str, Any]


def page() -> None:
    """Write the results' figures into the pages, and draw what they show."""
    for each in PAGES:
        each.write_text(filled(each.read_text()))
    memories_page.draw(json.loads((RESULTS / "memories.json").read_text()))


def filled(text: str) -> str:
    """The page with each table made anew: that of families, or of benchmarks/results/NAME.json."""

    def made(place: re.Match[str]) -> str:
        if place[2] == "families":
            found = memories_page.families()
        else:
            found = TABLES[place[2]](json.loads((RESULTS / f"{place[2]}.json").read_text()))
        return f"{place[1]}\n{found}\n{place[3]}"

    return PLACE.sub(made, text)


def _serve(record: Record) -> str:
    rows: list[Row] = record["rows"]
    parts = []
    for body in ("binary", "JSON"):
        counts = sorted({row["connections"] for row in rows})
        mine = {(r["server"], r["connections"]): r for r in rows if r["body"] == body}
        columns = ("requests/s", "per CPU-s (of ours)", "p50 / p99 ms")
        head = [body, *(f"{c}: {name}" for c in counts for name in columns)]
        servers = list(dict.fromkeys(server for server, _ in mine))
        lines = [
            [server, *(cell for c in counts for cell in _served(mine.get((server, c))))]
            for server in servers
        ]
        parts.append(table(head, lines))
    if alone := record.get("bare"):
        rates = [[f"{row[name]:.0f}" for name in ("per_second", "per_cpu_second")] for row in alone]
        lines = [[str(row["batch"]), *rate] for row, rate in zip(alone, rates, strict=True)]
        parts.append(table(["session.run alone, rows", "windows/s", "per CPU-s"], lines))
    return "\n".join(parts)


def _served(row: Row | None) -> list[str]:
    if row is None:
        return ["", "", ""]
    return [f"{row['per_second']:.0f}", _of_ours(row, "per_cpu_second"), _latency(row)]


def _stream(record: Record) -> str:
    rows: list[Row] = record["rows"]
    servers = ["ours binary", "ours JSON", "ours, no operator", "ours, one process", "triton"]
    by_cell: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in rows:
        cell = (row["model"], row["steps"], row["streams"])
        by_cell.setdefault(cell, {})[row["server"]] = row
    head = ["model", "steps", "streams"]
    head += [f"{server}: {name}" for server in servers for name in ("chunks/s", "p50 / p99 ms")]
    for place in (-6, -4, -2):
        head[place] += " (of ours binary, each round's)"
    lines = []
    for cell, found in by_cell.items():
        figures = [
            text
            for server in servers
            for text in (
                [_of_ours(found[server], "per_second"), _latency(found[server])]
                if server in found
                else ["", ""]
            )
        ]
        lines.append([*map(str, cell), *figures])
    return table(head, lines)


def _of_ours(row: Row, name: str) -> str:
    """The figure and, of another server, its ratio to ours: the rounds' median, lowest, highest.
    Each ratio is of one round, so they are not those of two medians."""
    if row["server"] in OURS:
        return f"{row[name]:.0f}"
    low, high = row[f"{name}_of_ours_spread"]
    return f"{row[name]:.0f} ({row[f'{name}_of_ours']:.2f}: {low:.2f} to {high:.2f})"


def _live(record: Record) -> str:
    lines = []
    rows: list[Row] = record["rows"]
    for model in dict.fromkeys(row["model"] for row in rows):
        mine = [row for row in rows if row["model"] == model]
        held = max((r for r in mine if r["held"]), key=lambda r: int(r["streams"]), default=None)
        late = min(
            (r for r in mine if not r["held"]), key=lambda r: int(r["streams"]), default=None
        )
        lines.append([model, *_tried(held), *_tried(late)])
    return table(["model", "held", "p50 / p99 ms", "too many", "p50 / p99 ms"], lines)


def _tried(row: Row | None) -> list[str]:
    return ["", ""] if row is None else [str(row["streams"]), _latency(row)]


def _latency(row: Row) -> str:
    return " / ".join(
        f"{row[name]:.2g}" if row[name] < 10 else f"{row[name]:.0f}"
        for name in ("p50_ms", "p99_ms")
    )


TABLES: dict[str, Callable[[Any], str]] = {
    "memories": memories_page.costs,
    "adding": memories_page.adding,
    "questions": questions_page.questions,
    "mnist": memories_page.accuracies,
    "imdb": memories_page.accuracies,
    "serve": _serve,
    "stream": _stream,
    "live": _live,
    "classify": page_bare.classify,
    "classify_native": page_bare.classify,
    "graph": page_bare.graph,
    "ticks": page_bare.ticks,
    "scaling": page_bare.scaling,
    "training": page_bare.training,
    "kill": reliability.kill,
    "fuzz": reliability.fuzz,
    "crowd": reliability.crowd,
    "reload": operations.reload,
    "telemetry": operations.telemetry,
}
