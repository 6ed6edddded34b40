"""The tables of networks: what they learn, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable
from statistics import mean
from typing import Any

from benchmarks.tables import Record, Renderer, Row, specified, spread, table
from larnn_export.families import FAMILIES
from larnn_export.novelty.card import choice_table
from larnn_export.tasks.commands import CONTENDERS


def title_of(row: Row) -> str:
    """Of a measured network, and what ran it where that was not its graph alone."""
    title = FAMILIES[row["family"]].title
    return f"{title}, native operator" if row["operator"] == "native" else title


def _costs(record: Record) -> Iterable[Row]:
    """The most accurate family first."""
    for row in sorted(record["rows"], key=lambda row: -mean(row["accuracies"] or [0])):
        right = row["accuracies"]
        yield row | {"title": title_of(row), "right": spread(right, "{:.2%}"), "seeds": len(right)}


def _by(results: list[Row], *names: str) -> dict[tuple[Any, ...], list[Row]]:
    found: dict[tuple[Any, ...], list[Row]] = {}
    for result in results:
        found.setdefault(tuple(result[name] for name in names), []).append(result)
    return found


def _adding(results: list[Row]) -> str:
    """Updates until solved, of each length."""

    def cell(runs: list[Row]) -> str:
        most = runs[0]["budget"]["updates"]
        last = [run["curve"][-1] for run in runs]
        found = [float(at) for at, _, error in last if error < runs[0]["budget"]["stop_below"]]
        parts = [spread(found, "{:,.0f}")] if found else []
        if missed := len(runs) - len(found):
            parts.append(f"{missed} not within {most:,}")
        return ", ".join(parts)

    found = _by(results, "task", "family")
    tasks = dict.fromkeys(result["task"] for result in results)
    lines = [
        " | ".join(
            [
                task,
                *(cell(found[task, family]) for family in CONTENDERS),
                str(len(found[task, CONTENDERS[-1]])),
            ]
        )
        for task in tasks
    ]
    titles = " | ".join(FAMILIES[family].title for family in CONTENDERS)
    return table(f"updates until the error is below 0.01 | {titles} | seeds", lines)


def _accuracies(results: list[Row]) -> str:
    """Of the last point of each curve, by which nothing was chosen."""
    first = results[0]
    lines = []
    for (family,), runs in _by(results, "family").items():
        right = spread([run["curve"][-1][2] for run in runs], "{:.2%}")
        lines.append(
            f"{FAMILIES[family].title} | {runs[0]['parameters']:,} | {right} | {len(runs)}"
        )
    updates, tested = first["budget"]["updates"], first["tested"]
    accuracy = f"accuracy after {updates:,} updates, {tested:,} of test"
    return table(f" | parameters | {accuracy} | seeds", lines)


def _questions(record: Record) -> Iterable[Row]:
    def difference(found: Row | None) -> str:
        if found is None:
            return "–"
        middle, low, high = (100 * found[name] for name in ("mean", "low", "high"))
        return f"{middle:+.2f} ({low:+.2f} to {high:+.2f})"

    for row in record["rows"]:
        right = f"{row['mean']:.2%} ± {row['sd']:.2%}" if "mean" in row else "–"
        folds, people = (difference(row.get(name)) for name in ("over_folds", "over_people"))
        count = len(row["folds"])
        yield {"what": row["what"], "right": right, "n": count, "folds": folds, "people": people}


def _tasks(record: Record) -> Iterable[Row]:
    for row in record["rows"]:
        right = [*row["accuracies"].values()]
        difference = "–"
        if (found := row.get("difference")) is not None:
            middle, low, high = (100 * found[name] for name in ("mean", "low", "high"))
            difference = f"{middle:+.1f} ({low:+.1f} to {high:+.1f})"
        yield row | {
            "right": spread(right, "{:.2%}"),
            "seeds": len(right),
            "ms": 1000 * row["cpu_seconds_per_update"],
            "difference": difference,
        }


TABLES: dict[str, Renderer] = {
    "choice": choice_table,
    "families": specified(
        "memory | what a stream carries per layer | paper",
        "{family.title} | {family.carries} | {family.source}",
        lambda _: ({"family": family} for family in FAMILIES.values()),
    ),
    "memories": specified(
        "memory | accuracy | seeds | parameters | multiply-adds / step | state | steps / CPU-s | "
        "windows / s | windows / CPU-s",
        "{title} | {right} | {seeds} | {parameters:,} | {macs_per_step:,} | {state_bytes:,} B | "
        "{steps_per_cpu_second:,.0f} | {windows_per_second:,.0f} | {windows_per_cpu_second:,.0f}",
        _costs,
    ),
    "reach": specified(
        "task | steps | guessing | 8 steps | 32 steps | all steps | a stream, 32 steps",
        "{task} | {steps} | {floor:.1%} | {window_8:.1%} | {window_32:.1%} | {all:.1%} | "
        "{stream_window_32:.1%}",
        "rows",
    ),
    "tasks": specified(
        "task | network | right answers | seeds | less the LARNN, points | parameters | "
        "multiply-adds / step | state | ms / update",
        "{task} | {contender} | {right} | {seeds} | {difference} | {parameters:,} | "
        "{macs_per_step:,} | {state_bytes:,} B | {ms:.0f}",
        _tasks,
    ),
    "adding": _adding,
    "mnist": _accuracies,
    "imdb": _accuracies,
    "questions": specified(
        "network | held-out people | folds | difference over folds | over people",
        "{what} | {right} | {n} | {folds} | {people}",
        _questions,
    ),
}
