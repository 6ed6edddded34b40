"""Somebody's own folder of CSV or Parquet tables, cut into windows as its description says."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from larnn_export.data.description import Description, read_description
from larnn_export.data.errors import DataError
from larnn_export.data.split import DataInfo, Split
from larnn_export.data.tables import Table
from larnn_service.contract import Channel

SUFFIXES = (".csv", ".parquet")
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


@dataclass(frozen=True)
class Windows:
    """Every window of a folder. A window never crosses a change of label, person or recording."""

    description: Description
    file: Path
    signals: NDArray[np.float32]  # [windows, steps, channels]
    origins: list[Origin]

    def split(self, part: str) -> Split:
        """The "train" or the "test" people's windows."""
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
        test = tuple(people.index(name) + 1 for name in self.description.test_subjects)
        split = everyone.of_subjects(test) if part == "test" else everyone.without_subjects(test)
        if not len(split):
            raise DataError(f"{self.file}: test_subjects leaves nobody to train on")
        return split

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


def read_windows(file: Path) -> Windows:
    """All tables beside and below a description, in order of their paths. Raises DataError."""
    description = read_description(file)
    paths = sorted(path for path in file.parent.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise DataError(f"{file.parent} has no .csv and no .parquet file")
    signals: list[NDArray[np.float32]] = []
    origins: list[Origin] = []
    for path in paths:
        _cut(Table(path), description, signals, origins)
    if not signals:
        raise DataError(
            f"{file}: no recording is as long as a window of {description.window.steps} steps"
        )
    return Windows(description, file, np.concatenate(signals), origins)


def _cut(
    table: Table,
    description: Description,
    signals: list[NDArray[np.float32]],
    origins: list[Origin],
) -> None:
    values = table.numbers(description.columns)
    labels, subjects = table.texts(description.label), table.texts(description.subject)
    if description.labels:
        for row, label in enumerate(labels):
            if label not in description.labels:
                raise DataError(
                    f"{table.path}, {table.place(row)}, column {description.label!r}: {label!r} "
                    f"is none of {', '.join(description.labels)}"
                )
    steps, hop = description.window.steps, description.hop
    columns = (description.label, description.subject, *description.recording)
    for first, end in table.changes(columns):
        if end - first < steps:
            continue
        signals.append(windows(values[first:end], steps, hop))
        origins += [
            Origin(table.path, row, labels[first], subjects[first])
            for row in range(first, end - steps + 1, hop)
        ]


def windows(values: NDArray[np.float32], steps: int, hop: int) -> NDArray[np.float32]:
    """[windows, steps, channels] of [rows, channels], one each `hop` rows; a short end is left."""
    return np.ascontiguousarray(sliding_window_view(values, steps, axis=0)[::hop].swapaxes(1, 2))
