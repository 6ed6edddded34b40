"""The tables of docs/reliability.md."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.tables import table

Record = dict[str, Any]
KINDS = {"kill": "replica killed", "pause": "replica paused for 8 s", "store": "store restarted"}


def kill(record: Record) -> str:
    """What was lost, and how long streams waited."""
    found = record["verdict"]
    counted = table(
        ["streams", "steps", "answers", "lost", "counted twice", "out of order", "different"],
        [
            [
                str(record["streams"]),
                *(f"{found[name]:,}" for name in ("steps", "answers", "lost", "twice")),
                *(f"{found[name]:,}" for name in ("out_of_order", "different")),
            ]
        ],
    )
    lines = []
    for kind, text in KINDS.items():
        faults = [fault for fault in record["faults"] if fault["kind"] == kind]
        for field, who in (("resumed_s", "had to resume"), ("others_s", "did not")):
            times = [seconds for fault in faults for seconds in fault[field]]
            if times:
                p50, p99, most = np.percentile(times, (50, 99, 100))
                figures = f"{p50:.2f} / {p99:.2f} / {most:.2f}"
                lines.append([f"{text} ({len(faults)})", who, f"{len(times):,}", figures])
    head = ["fault", "streams that", "count", "next answer after p50 / p99 / max, s"]
    return f"{counted}\n{table(head, lines)}"


def fuzz(record: Record) -> str:
    """How much was sent to one service and to the other, and what it cost those beside them."""
    lines = []
    for name, run in record.items():
        health = run["bystander"]["health"]
        lines.append(
            [
                name,
                f"{run['inputs']:,}",
                f"{run['seconds']:.0f}",
                str(len(run["faults"])),
                " / ".join(f"{health[figure]:.1f}" for figure in ("p50", "p99", "longest")),
                f"{run['longest_hold_ms']:.0f}",
                f"{run['warm']:.0f} and {run['after']:.0f}",
            ]
        )
    times = ["health beside them, p50 / p99 / max, ms", "longest hold by one input, ms"]
    head = ["service", "inputs", "seconds", "faults", *times, "resident MiB when warm, at the end"]
    return table(head, lines)


def crowd(record: Record) -> str:
    """The others' answers alone and beside the bad ones, and a stream's memory."""
    lines = [
        [
            name,
            *(f"{record[key][field]:.1f}" for field in ("p50_ms", "p99_ms")),
            f"{record[key]['server_cores']:.2f}",
        ]
        for name, key in (("alone", "alone"), ("beside the bad ones", "beside"))
    ]
    memory = record["bytes_per_idle_stream"] / 2**10
    return (
        table(["the measured streams", "p50 ms", "p99 ms", "cores of the service"], lines)
        + f"\nThe p99 is {record['p99_ratio']:.1f} times that alone. An open idle stream takes "
        f"{memory:.0f} KiB; {record['let_go']} bad ones were let go in {record['seconds']:g} s, "
        f"{record['others_alive']:,} others stayed.\n"
    )
