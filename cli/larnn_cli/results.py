"""Classifications as rows: shown, or written as CSV, JSON or Parquet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

FORMATS = (".csv", ".json", ".parquet")
SHOWN = 20


@dataclass(frozen=True)
class Result:
    """The answer to one sequence."""

    file: str
    first_row: int
    steps: int
    label: str
    expected: str | None
    probabilities: dict[str, float]


def as_json(results: Sequence[Result]) -> str:
    """The results as one JSON array."""
    return json.dumps([asdict(result) for result in results])


def write(results: Sequence[Result], path: Path) -> None:
    """One row a sequence; in a table each label's probability is a column `p_LABEL`."""
    if path.suffix == ".json":
        path.write_text(as_json(results) + "\n")
        return
    import polars as pl

    table = pl.DataFrame([_flat(result) for result in results])
    if path.suffix == ".csv":
        table.write_csv(path)
    else:
        table.write_parquet(path)


def _flat(result: Result) -> dict[str, Any]:
    fields = asdict(result)
    probabilities = fields.pop("probabilities")
    return fields | {f"p_{label}": value for label, value in probabilities.items()}


def show(results: Sequence[Result], console: Console) -> None:
    """The first answers, how often each label came, and how many are what the data says."""
    table = Table("file", "first row", "steps", "label", "probability")
    for result in results[:SHOWN]:
        table.add_row(
            Path(result.file).name,
            f"{result.first_row:,}",
            f"{result.steps:,}",
            result.label,
            f"{result.probabilities[result.label]:.1%}",
        )
    console.print(table)
    if len(results) > SHOWN:
        counts = Counter(result.label for result in results).most_common()
        told = ", ".join(f"{label} {count:,}" for label, count in counts)
        console.print(f"… {len(results):,} in all: {told}")
    known = [result for result in results if result.expected is not None]
    if known:
        right = sum(result.label == result.expected for result in known)
        share = right / len(known)
        console.print(f"{share:.2%}: {right:,} of {len(known):,} are what the data says")
