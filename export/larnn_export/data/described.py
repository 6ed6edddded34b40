"""Somebody's own folder of CSV or Parquet tables, cut into windows as its description says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from larnn_export.data.description import TESTS, Description, read_description
from larnn_export.data.errors import DataError
from larnn_export.data.recordings import stretches
from larnn_export.data.split import DataInfo, Split
from larnn_export.data.tables import Table
from larnn_service.contract import Channel

LIMITS = (
    "Only the people and the places of this data were seen. Every answer is one of the labels: "
    'there is no "none of these".'
)


@dataclass(frozen=True)
class Origin:
    """Where a window comes from."""

    file: Path
    first_row: int
    label: str
    subject: str
    is_test: bool
    """Whether it is measured alone."""


@dataclass(frozen=True)
class Windows:
    """Every window of a folder. A window never crosses a change of label, person or recording."""

    description: Description
    file: Path
    signals: NDArray[np.float32]  # [windows, steps, channels]
    origins: list[Origin]

    def split(self, part: str) -> Split:
        """The windows to train on ("train"), or those that are only measured ("test")."""
        labels, people = self._labels(), sorted({origin.subject for origin in self.origins})
        absent = set(self.description.test_subjects) - set(people)
        if absent:
            raise DataError(
                f"{self.file}: test_subjects {', '.join(sorted(absent))} have no window; "
                f"the data has {', '.join(people)}"
            )
        info = DataInfo(
            title=self.description.title or self._title(labels),
            channels=tuple(
                Channel(name=channel.name, unit=channel.unit)
                for channel in self.description.channels
            ),
            labels=labels,
            sample_rate_hz=self.description.sample_rate_hz,
            subjects=tuple(people),
            about=self.description.about or "The author's own recordings.",
            terms=self.description.terms,
            limits=LIMITS,
        )
        everyone = Split(
            info,
            self.signals,
            np.array([labels.index(origin.label) for origin in self.origins], np.int64),
            np.array([people.index(origin.subject) + 1 for origin in self.origins], np.int64),
        )
        of_part = np.array([origin.is_test == (part == "test") for origin in self.origins])
        if not of_part.any():
            [told] = (name for name in TESTS if getattr(self.description, name))
            raise DataError(
                f"{self.file}: {told} leaves nobody to "
                + ("be measured" if part == "test" else "train on")
            )
        return everyone.where(of_part)

    def _labels(self) -> tuple[str, ...]:
        found = {origin.label for origin in self.origins}
        labels = self.description.labels or tuple(sorted(found))
        without = [label for label in labels if label not in found]
        if without or len(labels) < 2:
            raise DataError(
                f"{self.file}: every label needs a window of {self.description.window.steps} "
                f"steps, and two labels are the least; windows show {', '.join(sorted(found))}"
                + (f", none shows {', '.join(without)}" if without else "")
            )
        return labels

    def _title(self, labels: tuple[str, ...]) -> str:
        channels, rate = len(self.description.channels), self.description.sample_rate_hz
        return f"{len(labels)} labels from {channels} channels at {rate:g} Hz"


def read_windows(file: Path, folder: Path | None = None) -> Windows:
    """All tables of a description in its folder, or in another one, in order of their paths.

    Raises DataError.
    """
    description, folder = read_description(file), folder or file.parent
    paths = tables_of(folder, description.files)
    if not paths:
        raise DataError(f"{folder} has none of the files {', '.join(description.files)}")
    tested = set(tables_of(folder, description.test_files))
    signals: list[NDArray[np.float32]] = []
    origins: list[Origin] = []
    for path in paths:
        table = open_table(path, folder, description)
        own_name = path.relative_to(folder).with_suffix("").as_posix()
        _cut(table, own_name, description, path in tested, signals, origins)
    if not signals:
        raise DataError(
            f"{file}: no recording is as long as a window of {description.window.steps} steps"
        )
    return Windows(description, file, np.concatenate(signals), origins)


def tables_of(folder: Path, patterns: Sequence[str]) -> list[Path]:
    """Files below a folder by these patterns of their names or paths, in order."""
    found = {path for pattern in patterns for path in folder.rglob(pattern) if path.is_file()}
    return sorted(found)


def open_table(path: Path, folder: Path, description: Description) -> Table:
    """A table in this folder or below, with the columns that its path makes."""
    more: dict[str, str] = {}
    if description.path:
        where = path.relative_to(folder).as_posix()
        match = re.search(description.path, where)
        if match is None:
            raise DataError(
                f"{path}: the expression {description.path!r} of `path` does not fit {where}"
            )
        more = {name: text or "" for name, text in match.groupdict().items()}
    return Table(path, description.header, more)


def _cut(
    table: Table,
    own_name: str,
    description: Description,
    tested: bool,
    signals: list[NDArray[np.float32]],
    origins: list[Origin],
) -> None:
    labels = _row_labels(table, description)
    subject = description.subject or ("subject" if "subject" in table.columns else None)
    people = table.texts(subject) if subject else [own_name] * len(table)
    where = description.test_rows
    shown = table.texts(where.column, empty=True) if where else [""] * len(table)
    others = [table.texts(column) for column in description.recording]
    edges = changes(list(zip(labels, people, shown, *others, strict=True)))
    if description.test_fraction is not None:
        edges = _with_last_parts(edges, len(table), description.test_fraction)
    steps, hop = description.window.steps, description.hop
    rate, channels = description.sample_rate_hz, description.channels
    for part, stretch in stretches(table, channels, description, rate, edges):
        row, values, rows = edges[part], stretch.values, stretch.rows
        if labels[row] in description.ignore_labels:
            continue
        if len(values) < steps and description.window.pad:
            missing = steps - len(values)
            values = np.concatenate([np.repeat(values[:1], missing, axis=0), values])
            rows = np.concatenate([np.repeat(rows[:1], missing), rows])
        if len(values) < steps:
            continue
        is_test = tested or people[row] in description.test_subjects
        is_test |= where is not None and shown[row] in where.values
        is_test |= description.test_fraction is not None and part % 2 == 1
        signals.append(windows(values, steps, hop))
        origins += [
            Origin(table.path, int(rows[first]), labels[row], people[row], is_test)
            for first in range(0, len(values) - steps + 1, hop)
        ]


def _row_labels(table: Table, description: Description) -> list[str]:
    """Of each row, as they are to be called."""
    names, ignored = description.label_names, description.ignore_labels
    found = table.texts(description.label, empty="" in ignored)
    labels = [text if text in ignored else names.get(text, text) for text in found]
    for row, label in enumerate(labels if description.labels else ()):
        if label not in description.labels and label not in ignored:
            raise DataError(
                f"{table.path}, {table.place(row)}, column {description.label!r}: {label!r} "
                f"is none of {', '.join(description.labels)}; ignore_labels leaves rows out"
            )
    return labels


def changes(keys: Sequence[object]) -> list[int]:
    """The rows that are unlike the one before, from 0."""
    return [row for row in range(len(keys)) if row == 0 or keys[row] != keys[row - 1]]


def _with_last_parts(edges: list[int], rows: int, fraction: float) -> list[int]:
    """Each part in two, of which the second is this fraction of it."""
    ends = [*edges[1:], rows]
    return [
        edge
        for first, end in zip(edges, ends, strict=True)
        for edge in (first, end - max(1, round(fraction * (end - first))))
    ]


def windows(values: NDArray[np.float32], steps: int, hop: int) -> NDArray[np.float32]:
    """[windows, steps, channels] of [rows, channels], one each `hop` rows; a short end is left."""
    return np.ascontiguousarray(sliding_window_view(values, steps, axis=0)[::hop].swapaxes(1, 2))
