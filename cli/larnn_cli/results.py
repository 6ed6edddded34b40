"""Classifications as rows: shown, or written as CSV, JSON or Parquet."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from larnn_cli import answers

if TYPE_CHECKING:
    from larnn_client import Step

FORMATS = (".csv", ".json", ".parquet")
SHOWN = 20


@dataclass(frozen=True)
class Result:
    """The answer to one sequence."""

    file: str
    first_row: int
    steps: int
    expected: str | None
    answer: Step

    @property
    def label(self) -> str | None:
        """Of classes."""
        return getattr(self.answer.answer, "label", None)

    def fields(self) -> dict[str, Any]:
        """All of it, by names."""
        told = answers.told(self.answer)
        label = {"label": told.pop("label")} if "label" in told else {}
        place = {"file": self.file, "first_row": self.first_row, "steps": self.steps}
        return place | label | {"expected": self.expected} | told


def as_json(results: Sequence[Result]) -> str:
    """The results as one JSON array."""
    return json.dumps([result.fields() for result in results])


def write(results: Sequence[Result], path: Path) -> None:
    """One row a sequence; in a table each label's probability is a column `p_LABEL`, each value one
    of its name; those of a further output are called OUTPUT.COLUMN."""
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
    flat = result.fields()
    further = flat.pop("outputs", {})
    cells = {name: _cells(told) for name, told in further.items()}
    named = {f"{name}.{key}": cell for name, each in cells.items() for key, cell in each.items()}
    return _cells(flat) | named


def _cells(told: dict[str, Any]) -> dict[str, Any]:
    """What an output tells, a number or a text each."""
    flat = dict(told)
    shares, values = flat.pop("probabilities", {}), flat.pop("values", {})
    if "output" in flat:
        flat["output"] = json.dumps(flat["output"])
    flat |= {f"p_{label}": share for label, share in shares.items()}
    return flat | dict(values)


def show(results: Sequence[Result], console: Console) -> None:
    """The first answers, how often each label came, and how many are what the data says."""
    table = Table("file", "first row", "steps", "answer")
    for result in results[:SHOWN]:
        table.add_row(
            Path(result.file).name,
            f"{result.first_row:,}",
            f"{result.steps:,}",
            answers.shown(result.answer).strip(),
        )
    console.print(table)
    if len(results) > SHOWN:
        labels = [result.label for result in results if result.label is not None]
        counts = Counter(labels).most_common()
        told = ": " + ", ".join(f"{label} {count:,}" for label, count in counts) if counts else ""
        console.print(f"… {len(results):,} in all{told}")
    known = [result for result in results if result.expected is not None]
    if known:
        right = sum(result.label == result.expected for result in known)
        share = right / len(known)
        console.print(f"{share:.2%}: {right:,} of {len(known):,} are what the data says")
