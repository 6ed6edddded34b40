"""The page's tables about graphs, and about this service beside the bare graph."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import table

Record = dict[str, Any]


def graph(record: Record) -> str:
    """CPU milliseconds of 128 steps, and how many times the naive graph takes as long."""
    whats = list(dict.fromkeys(line["what"] for line in record["lines"]))
    cells: dict[tuple[str, int], dict[str, str]] = {}
    for line in record["lines"]:
        ratio = line["naive_over_this"]
        text = (
            f"{line['ms']:.3g}" if line["what"] == "naive" else f"{line['ms']:.3g} ({ratio:.2f}x)"
        )
        cells.setdefault((line["network"], line["batch"]), {})[line["what"]] = text
    lines = [
        [name, str(batch), *(found[w] for w in whats)] for (name, batch), found in cells.items()
    ]
    return table(["network", "rows", *whats], lines)


def ticks(record: Record) -> str:
    """Steps per CPU second."""
    lines = [
        [
            line["network"],
            str(line["streams"]),
            f"{line['naive']:.0f}",
            f"{line['ours']:.0f}",
            f"{line['ratio']:.2f}",
            f"{line['operator']:.0f}",
            f"{line['operator_over_ours']:.2f}",
        ]
        for line in record["lines"]
    ]
    rates = ["naive: steps/s", "ours: steps/s", "ours ÷ naive", "operator: steps/s"]
    return table(["network", "streams", *rates, "operator ÷ ours"], lines)


def scaling(record: Record) -> str:
    """The exponent of cost over the last three sizes."""
    lines = [
        [line["axis"], ", ".join(map(str, line["sizes"])), f"{line['slope']:.2f}"]
        for line in record["lines"]
    ]
    return table(["size", "tried", "slope"], lines)


def training(record: Record) -> str:
    """CPU time of a batch, forward and back, by what runs the loop."""
    lines = [
        [line["way"], f"{line['ms']:.0f}", f"{line['autograd_over_this']:.2f}x"]
        for line in record["lines"]
    ]
    return table(["loop", "ms a batch", "autograd ÷ this"], lines)


def classify(record: Record) -> str:
    """Windows per second and per CPU second, and their share of the bare graph's best."""
    lines = []
    for row in record["rows"]:
        low, high = row["per_cpu_second_of_bare_spread"]
        lines.append(
            [
                row["name"],
                f"{row['per_second']:.0f}",
                f"{row['per_cpu_second']:.0f}",
                f"{row['per_cpu_second_of_bare']:.2f}: {low:.2f} to {high:.2f}",
                f"{row['p50_ms']:.3g} / {row['p99_ms']:.3g}",
            ]
        )
    head = ["", "windows/s", "per CPU-s", "of bare's best, each round's", "p50 / p99 ms"]
    return table(head, lines)
