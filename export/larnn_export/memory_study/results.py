"""The results of a study: a line for each finished run, so that a killed study goes on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

Record = dict[str, Any]
RESULTS_FILE = "results.jsonl"
VERSION = 2
"""Of what tasks draw, how networks learn and how they are measured: results of different versions
do not compare. Version 1 had neither `version` nor `sizes`."""
IDENTITY = ("task", "division", "contender", "stage", "number")
"""What tells one run of a study from the others; a task has no divisions."""
SHARED = ("sizes", "protocol")
"""What all runs on one task have in common, whoever the contender."""
OWN = ("setting",)
"""What a finished run must have in common with the one that is asked for."""


class StudyError(ValueError):
    """What stands in the way of going on with a study, and what to do."""


class Results:
    """Those of one folder. A line that a kill cut short is no result.

    Reading changes nothing, so that a study in progress can be looked at. Raises StudyError where
    the lines are of another version.
    """

    def __init__(self, folder: Path) -> None:
        self._file = folder / RESULTS_FILE
        whole = self._file.read_bytes()[: self._end()] if self._file.is_file() else b""
        self.records: list[Record] = [json.loads(line) for line in whole.splitlines()]
        versions = {record.get("version", 1) for record in self.records} - {VERSION}
        if versions:
            raise StudyError(
                f"{self._file} holds results of version {min(versions)}, not {VERSION}: name "
                "another folder, or convert them as decision 67 tells"
            )

    def find(self, asked: Record) -> Record | None:
        """The finished run of the same identity.

        Raises StudyError where it was trained by another setting, or where anybody was trained on
        the same task by another protocol or with other sizes of it.
        """
        found = None
        for record in self.records:
            if record["task"] == asked["task"]:
                self._require_same(SHARED, record, asked)
                if all(record.get(name) == asked.get(name) for name in IDENTITY):
                    self._require_same(OWN, record, asked)
                    found = record
        return found

    def add(self, record: Record) -> None:
        """Keep a finished run: on the disk before this returns. It takes the place of what a kill
        left of a line."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        if self._file.is_file():
            os.truncate(self._file, self._end())
        with self._file.open("a") as file:
            file.write(json.dumps(record) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self.records.append(record)

    def _end(self) -> int:
        """Of the last whole line, in bytes."""
        return self._file.read_bytes().rfind(b"\n") + 1

    def _require_same(self, parts: tuple[str, ...], record: Record, asked: Record) -> None:
        for part in parts:
            mine, other = record[part], asked[part]
            differ = [name for name in {**mine, **other} if mine.get(name) != other.get(name)]
            if differ:
                told = ", ".join(f"{key} {mine.get(key)}, not {other.get(key)}" for key in differ)
                raise StudyError(
                    f"{self._file} holds {record['contender']} on {record['task']} with another "
                    f"{part}: {told}. Name another folder, or ask for the same."
                )
