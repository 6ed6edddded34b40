"""The tables of goals, and what was reached of them: each figure from a result file."""

from __future__ import annotations

from benchmarks.tables import Record, Renderer, Row, table

RESULTS = ("graph", "ticks", "classify", "classify_native", "serve", "stream", "live")
"""The files that the tables are made of."""
BODIES = ("npy", "JSON")
NETWORKS = ("n81 h27 k38", "n96 h12 k16")


def _found(rows: list[Row], **fields: object) -> Row:
    """The row that has these values. Raises StopIteration where none has."""
    return next(row for row in rows if all(row[name] == value for name, value in fields.items()))


def _over_naive(record: Record, network: str) -> str:
    def times(what: str, batch: int) -> float:
        row = _found(record["graph"]["lines"], network=network, batch=batch, what=what)
        return float(row["naive_over_this"])

    cells = [(times("ours, operator", batch), times("ours", batch)) for batch in (1, 64, 256)]
    return ", ".join(f"{operator:.3g}x ({plain:.3g}x)" for operator, plain in cells)


def _ticks(record: Record) -> str:
    rows = [_found(record["ticks"]["lines"], network=network, streams=64) for network in NETWORKS]
    return ", ".join(f"{row['operator'] / row['naive']:.3g}x ({row['ratio']:.3g}x)" for row in rows)


def _classify(record: Record, name: str, file: str = "classify_native") -> Row:
    return _found(record[file]["rows"], name=name)


def _of_bare(record: Record) -> str:
    def shares(file: str) -> str:
        rows = [_classify(record, f"/classify, {of}, 64 connections", file) for of in BODIES]
        return ", ".join(f"{row['per_cpu_second_of_bare']:.2f}" for row in rows)

    return f"plain graph {shares('classify')}; with the operator {shares('classify_native')}"


def _against(record: Record, server: str) -> str:
    def times(body: str) -> str:
        rows = record["serve"]["rows"]
        found = [_found(rows, server=server, body=body, connections=n) for n in (16, 64)]
        return " and ".join(f"{1 / row['per_cpu_second_of_ours']:.2f}x" for row in found)

    return f"JSON {times('JSON')}, binary {times('binary')}"


def _tails(record: Record) -> str:
    rows = [
        _found(record["serve"]["rows"], server="ours", body=body, connections=64)
        for body in ("JSON", "binary")
    ]
    standin = " and ".join(f"{row['p99_ms'] / row['p50_ms']:.1f}" for row in rows)
    har = sorted(
        row["p99_ms"] / row["p50_ms"]
        for file in ("classify", "classify_native")
        for row in record[file]["rows"]
        if "64 connections" in row["name"]
    )
    return f"the stand-in {standin}; `larnn-har` {har[0]:.1f} to {har[-1]:.1f}"


def _alone(record: Record) -> str:
    bare = _classify(record, "session.run, batch 1")["p50_ms"]
    rows = {of: _classify(record, f"/classify, {of}, 1 connection") for of in BODIES}
    return ", ".join(f"{of} {row['p50_ms'] - bare:.2f} ms" for of, row in rows.items())


def _streams(record: Record, steps: int, streams: int, server: str) -> Row:
    rows = record["stream"]["rows"]
    return _found(rows, model="lstm-standin", server=server, streams=streams, steps=steps)


def _chunks(record: Record) -> str:
    cells = []
    for steps in (1, 10, 16):
        low, high = _streams(record, steps, 64, "triton")["per_second_of_ours_spread"]
        cells.append(f"{1 / high:.2f}x to {1 / low:.2f}x with {steps}")
    return ", ".join(cells) + " steps a chunk"


def _late(record: Record) -> str:
    def times(server: str) -> str:
        rows = [_streams(record, 16, streams, server) for streams in (1, 16, 64)]
        return ", ".join(f"{row['p99_ms']:.1f}" for row in rows)

    return f"{times('ours binary')} ms; Triton {times('triton')}"


def _live(record: Record) -> str:
    rows = record["live"]["rows"]
    held = max(row["streams"] for row in rows if row["held"] and row["model"] == "larnn-96")
    return f"{held}, with the operator"


def _start(record: Record) -> str:
    start = record["classify_native"]["start"]
    return f"{start['seconds']:.1f} s; {start['resident_bytes'] / 1e6:.0f} MB"


def _goals(record: Record) -> str:
    first, second = (_over_naive(record, network) for network in NETWORKS)
    rows = [
        "graph with the operator (without) against the obvious export, n81 h27 k38: "
        f"1 row, 64, 256 | 2.5x, 5x, 5x | {first}",
        f"the same, n96 h12 k16 | 1.9x, 2.4x, 2.4x | {second}",
        "ticks of 64 streams against arrays for each stream: n81, n96 | 3x, 2.2x | "
        f"{_ticks(record)}",
        "`/classify`, 64 connections, per CPU-second, share of the bare graph's best: npy, JSON | "
        f"0.90, 0.80 | {_of_bare(record)}: missed",
        "requests per CPU-second against PyTriton, 16 and 64 connections | 1.5x | "
        f"{_against(record, 'pytriton')}",
        "the same against a tritonserver without PyTriton's proxy | 1.5x | "
        f"{_against(record, 'triton')}: missed",
        f"p99 over p50, 64 connections | 2 | {_tails(record)}",
        "one connection, p50 over `session.run`, with the operator | 0.5 ms | "
        f"{_alone(record)}: JSON missed",
        "chunks/s of 64 streams against Triton's sequence batcher, each round's | 1.5x | "
        f"{_chunks(record)}",
        f"p99 there with 16 steps, 1, 16 and 64 streams | lower | {_late(record)}",
        "live streams, n96 h12 k16, 10 steps a chunk, p99 below 100 ms | 500 | " + _live(record),
        f"start to ready; resident memory then | 2 s; 250 MB | {_start(record)}",
    ]
    return table(" | goal | measured", rows)


def _operator(record: Record) -> str:
    def over(network: str, other: str, batch: int) -> float:
        rows = record["graph"]["lines"]
        mine = _found(rows, network=network, batch=batch, what="ours, operator")["ms"]
        return float(_found(rows, network=network, batch=batch, what=other)["ms"] / mine)

    def ticks(network: str, streams: int) -> float:
        row = _found(record["ticks"]["lines"], network=network, streams=streams)
        return float(row["operator_over_ours"])

    alone = " / ".join(f"{over(of, 'ours', 1):.1f}x" for of in NETWORKS)
    many = " / ".join(
        " and ".join(f"{over(of, 'ours', batch):.1f}x" for batch in (64, 256)) for of in NETWORKS
    )
    ticked = " / ".join(
        " and ".join(f"{ticks(of, streams):.1f}x" for streams in (64, 256)) for of in NETWORKS
    )
    floors = [sorted(1 / over(of, "floor", batch) for batch in (8, 64, 256)) for of in NETWORKS]
    floor = " / ".join(f"{low:.2f} to {high:.2f}" for low, *_, high in floors)
    rows = [
        f"against the graph, 128 steps, 1 row | 5x / 4x | {alone}",
        f"against the graph, 64 and 256 rows | 3.5x / 2.5x | {many}",
        "ticks against the graph in the arena, 64 and 256 streams | 2.8x / 2.3x | " + ticked,
        f"operator ÷ floor, 8 rows and more | 1.4 / 1.25 | {floor}: missed",
    ]
    return table(" | goal, n81 h27 k38 / n96 h12 k16 | measured", rows)


TABLES: dict[str, Renderer] = {"goals": _goals, "operator_goals": _operator}
