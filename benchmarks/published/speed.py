"""The tables of speed: of servers, of this service and of graphs."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import median

from benchmarks.tables import OURS, Record, Renderer, Row, beside, latency, pivot, specified, table


def _serve_body(record: Record, body: str) -> str:
    rows = [row for row in record["rows"] if row["body"] == body]
    counts = sorted({row["connections"] for row in record["rows"]})
    names = ("requests/s", "per CPU-s (of ours)", "p50 / p99 ms")
    head = " | ".join([body, *(f"{count}: {name}" for count in counts for name in names)])

    def cells(row: Row | None) -> list[str]:
        if row is None:
            return ["", "", ""]
        return [f"{row['per_second']:.0f}", beside(row, "per_cpu_second"), latency(row)]

    lines = [
        " | ".join([server, *(cell for count in counts for cell in cells(found.get(count)))])
        for (server,), found in pivot(rows, ("server",), "connections").items()
    ]
    return table(head, lines)


_BARE = specified(
    "session.run alone, rows | windows/s | per CPU-s",
    "{batch} | {per_second:.0f} | {per_cpu_second:.0f}",
    "bare",
)


def _serve(record: Record) -> str:
    return "\n".join([*(_serve_body(record, body) for body in ("binary", "JSON")), _BARE(record)])


def _stream(record: Record) -> str:
    servers = ("ours binary", "ours JSON", "ours, no operator", "ours, one process", "triton")
    head = ["model", "steps", "streams"]
    for server in servers:
        of = "" if server in OURS else " (of ours binary, each round's)"
        head += [f"{server}: chunks/s{of}", f"{server}: p50 / p99 ms"]
    lines = []
    for cell, found in pivot(record["rows"], ("model", "steps", "streams"), "server").items():
        line = [str(value) for value in cell]
        for server in servers:
            row = found.get(server)
            line += [beside(row, "per_second"), latency(row)] if row else ["", ""]
        lines.append(" | ".join(line))
    return table(" | ".join(head), lines)


def _graph(record: Record) -> str:
    whats = list(dict.fromkeys(line["what"] for line in record["lines"]))

    def cell(line: Row) -> str:
        ratio = "" if line["what"] == "naive" else f" ({line['naive_over_this']:.2f}x)"
        return f"{line['ms']:.3g}{ratio}"

    lines = [
        " | ".join([network, str(batch), *(cell(found[what]) for what in whats)])
        for (network, batch), found in pivot(record["lines"], ("network", "batch"), "what").items()
    ]
    return table(" | ".join(["network", "rows", *whats]), lines)


def _live(record: Record) -> Iterable[Row]:
    """Of each model the most streams that were held, and the fewest that were too many."""
    for model in dict.fromkeys(row["model"] for row in record["rows"]):
        mine = sorted(
            (r for r in record["rows"] if r["model"] == model), key=lambda r: r["streams"]
        )
        held = [(r["streams"], latency(r)) for r in mine if r["held"]]
        late = [(r["streams"], latency(r)) for r in mine if not r["held"]]
        none = ("", "")
        yield {"model": model, "held": (held or [none])[-1], "late": (late or [none])[0]}


def _trees(record: Record) -> Iterable[Row]:
    """Figures of this tree / of the other one, and the ratio that counts."""
    for row in record["rows"]:
        verdict = {None: "none", True: f"{row['gate']} met", False: f"{row['gate']} MISSED"}
        figure = {"p50_ms": "p50", "per_cpu_second": "/CPU-s"}[row["figure"]]
        yield row | {"verdict": verdict[row["met"]], "of": figure}


def _capture(record: Record) -> Iterable[Row]:
    low, high = record["of_nothing_spread"]
    more = {"captured": f"{record['of_nothing']:.2f} ({low:.2f} to {high:.2f})"}
    return (row | {"of_nothing": more.get(row["kind"], "1.00")} for row in record["rows"])


def _loop(record: Record) -> Iterable[Row]:
    """Costs of a message: the median of the rounds, and their least and most."""

    def told(values: list[float]) -> str:
        return f"{median(values):.1f} ({min(values):.1f} to {max(values):.1f})" if values else "–"

    for row in record["rows"]:
        cpu, counts = row["cpu_us_rounds"], row["kilo_instructions_rounds"]
        yield {"name": row["name"], "cpu": told(cpu), "counts": told(counts)}


_LOOP = specified(
    "message | CPU µs (least to most) | thousands of instructions (least to most)",
    "{name} | {cpu} | {counts}",
    _loop,
)

_SPEEDS = specified(
    " | steps/s | of bare, each round's | per CPU-s | of bare, each round's",
    "{name} | {per_second:,.0f} | {per_second_of_bare:.2f}: {per_second_of_bare_spread[0]:.2f} to "
    "{per_second_of_bare_spread[1]:.2f} | {per_cpu_second:,.0f} | {per_cpu_second_of_bare:.2f}: "
    "{per_cpu_second_of_bare_spread[0]:.2f} to {per_cpu_second_of_bare_spread[1]:.2f}",
    "rows",
)
_HELD_AND_KEPT = specified(
    "steps | files | resident at most | of a tenth of the steps | files kept of a kill | "
    "equal afterwards",
    "{steps:,} | {files} | {peak_mib:.0f} MiB | {peak_mib_of_a_tenth:.0f} MiB | {kept_of_a_kill} | "
    "{equal_after_a_kill}",
    lambda record: [record],
)


_IN_RAY = specified(
    "workers of Ray Data | steps/s, with their start | equal answers",
    "{ray_workers} | {ray_per_second:,.0f} | {ray_equal}",
    lambda record: [record],
)


def _score(record: Record) -> str:
    tables = [_SPEEDS, _HELD_AND_KEPT, *([_IN_RAY] if "ray_workers" in record else [])]
    return "\n".join(render(record) for render in tables)


_LOOPS = {
    "served": "served by websocket",
    "onnxruntime": "onnxruntime in a loop",
    "sherpa": "sherpa-onnx in a loop",
}


def _imported(record: Record) -> Iterable[Row]:
    """For each number of streams the served network, then the loops."""
    for row in record["rows"]:
        for name, what in _LOOPS.items():
            if name in row:
                figures = row[name]
                beside = "" if name == "served" else f"{figures['served_of_it']:.2f}"
                yield figures | {"streams": row["streams"], "what": what, "beside": beside}


_NO_OPERATOR = dict.fromkeys(("operator", "operator_over_ours"), float("nan"))
"""What a line lacks that was measured without the native library."""
_CLASSIFY = specified(
    " | windows/s | per CPU-s | of bare's best, each round's | p50 / p99 ms",
    "{name} | {per_second:.0f} | {per_cpu_second:.0f} | {per_cpu_second_of_bare:.2f}: "
    "{per_cpu_second_of_bare_spread[0]:.2f} to {per_cpu_second_of_bare_spread[1]:.2f} | "
    "{p50_ms:.3g} / {p99_ms:.3g}",
    "rows",
)

TABLES: dict[str, Renderer] = {
    "serve": _serve,
    "stream": _stream,
    "live": specified(
        "model | held | p50 / p99 ms | too many | p50 / p99 ms",
        "{model} | {held[0]} | {held[1]} | {late[0]} | {late[1]}",
        _live,
    ),
    "classify": _CLASSIFY,
    "classify_native": _CLASSIFY,
    "graph": _graph,
    "score": _score,
    "ticks": specified(
        "network | streams | naive: steps/s | ours: steps/s | ours ÷ naive | operator: steps/s | "
        "operator ÷ ours",
        "{network} | {streams} | {naive:.0f} | {ours:.0f} | {ratio:.2f} | {operator:.0f} | "
        "{operator_over_ours:.2f}",
        lambda record: (_NO_OPERATOR | line for line in record["lines"]),
    ),
    "scaling": specified(
        "size | tried | slope",
        "{axis} | {tried} | {slope:.2f}",
        lambda record: (
            line | {"tried": ", ".join(map(str, line["sizes"]))} for line in record["lines"]
        ),
    ),
    "imported": specified(
        "streams | what runs | frames a CPU-second | served, of it | ms a frame | streams at real "
        "time, two cores",
        "{streams} | {what} | {per_cpu_second:.0f} | {beside} | {ms_a_frame:.2f} | "
        "{real_time_streams_on_two_cores:.0f}",
        _imported,
    ),
    "memory": specified(
        "runs side by side | resident, without work | at most, at work | a run",
        "{concurrency} | {quiet_mb} MB | {at_work_mb} MB | {a_run_mb} MB",
        "rows",
    ),
    "novelty": specified(
        "rows, steps of a run | version 1, ms | version 2, ms | more",
        "{rows}, {steps} | {without_ms:.2f} | {with_ms:.2f} | {more:.0%}",
        lambda record: (
            line | {"more": line["with_ms"] / line["without_ms"] - 1} for line in record["lines"]
        ),
    ),
    "training": specified(
        "loop | ms a batch | autograd ÷ this",
        "{way} | {ms:.0f} | {autograd_over_this:.2f}x",
        "lines",
    ),
    "telemetry": specified(
        "told | CPU µs a request | more | of nothing",
        "{kind} | {cpu_us:.0f} | {more} | {of_nothing:.2f}",
        lambda record: (
            row | {"more": "" if row["kind"] == "nothing" else f"{row['more_us']:+.0f}"}
            for row in record["rows"]
        ),
    ),
    "capture": specified(
        "streams are | CPU µs a chunk | of nothing",
        "{kind} | {cpu_us:.0f} | {of_nothing}",
        _capture,
    ),
    "trees": specified(
        "message, connections | /CPU-s | p50 ms | p99 ms | client busy | ratio of | median (least "
        "to most) | gate",
        "{name} | {this[per_cpu_second]:.0f} / {other[per_cpu_second]:.0f} | {this[p50_ms]:.2f} / "
        "{other[p50_ms]:.2f} | {this[p99_ms]:.2f} / {other[p99_ms]:.2f} | {this[client_busy]:.0%} "
        "/ {other[client_busy]:.0%} | {of} | {ratio:.3f} ({ratio_spread[0]:.3f} to "
        "{ratio_spread[1]:.3f}) | {verdict}",
        _trees,
    ),
    "loop": lambda record: f"{_LOOP(record)}\nInstructions: {record['instructions']}.\n",
}
