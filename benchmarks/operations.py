"""The tables of docs/operations.md."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import table

Record = dict[str, Any]


def reload(record: Record) -> str:
    """What clients saw of versions that came and went."""
    head = ["requests", "failed", "by version 1 / 2", "streams", "chunks", "disturbed"]
    counts = [f"{record[name]:,}" for name in ("requests", "failed", "streams", "chunks")]
    versions = " / ".join(f"{count:,}" for count in record["by_version"].values())
    figures = [*counts[:2], versions, *counts[2:], f"{record['disturbed']:,}"]
    head += ["loads", "half copies refused"]
    figures += [f"{record[name]:,}" for name in ("loads", "refused")]
    return table(head, [figures])


def telemetry(record: Record) -> str:
    """CPU time of a request with what is told of it."""
    lines = [
        [
            row["kind"],
            f"{row['cpu_us']:.0f}",
            f"{row['more_us']:+.0f}" if row["kind"] != "nothing" else "",
            f"{row['of_nothing']:.2f}",
        ]
        for row in record["rows"]
    ]
    return table(["told", "CPU µs a request", "more", "of nothing"], lines)
