"""The results of a study: a line for each finished run, so that a killed study goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Record = dict[str, Any]
RESULTS_FILE = "results.jsonl"
IDENTITY = ("task", "form", "contender", "stage", "number")
"""What tells one run of a study from the others."""
PROMISED = ("setting", "protocol")
"""What a finished run must have in common with the one that is asked for."""


class StudyError(ValueError):
    """What stands in the way of going on with a study, and what to do."""


class Results:
    """Those of one folder. A line that a kill cut short is no result, and is taken away."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / RESULTS_FILE
        self.records: list[Record] = []
        if self._file.is_file():
            whole, _, cut = self._file.read_text().rpartition("\n")
            self.records = [json.loads(line) for line in whole.splitlines()]
            if cut:
                self._file.write_text(whole + "\n" * bool(whole))

    def find(self, asked: Record) -> Record | None:
        """The finished run of the same identity.

        Raises StudyError where it was trained by another setting or protocol.
        """
        for record in self.records:
            if all(record[name] == asked[name] for name in IDENTITY):
                _require_same(self._file, record, asked)
                return record
        return None

    def add(self, record: Record) -> None:
        """Keep a finished run: on the disk before this returns."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("a") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.records.append(record)


def _require_same(file: Path, record: Record, asked: Record) -> None:
    for part in PROMISED:
        mine, other = record[part], asked[part]
        differ = [name for name in {**mine, **other} if mine.get(name) != other.get(name)]
        if differ:
            told = ", ".join(f"{name} {mine.get(name)}, not {other.get(name)}" for name in differ)
            raise StudyError(
                f"{file} holds {record['contender']} on {record['task']} with another {part}: "
                f"{told}. Name another folder, or ask for the same."
            )
