"""Stretches of a table without a gap, at a steady rate: to be cut into windows, or streamed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from larnn_client.resample import interpolated
from larnn_export.data.description import ChannelColumn, Reading, made_of
from larnn_export.data.errors import DataError
from larnn_export.data.tables import Table

Doubles = NDArray[np.float64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Stretch:
    """Steps of one recording without a gap."""

    values: NDArray[np.float32]  # [steps, channels]
    rows: Rows  # [steps], the table's row that each one is, or stands before


@dataclass(frozen=True, eq=False)
class _Samples:
    """Rows as they were measured, gaps filled where they may be."""

    rows: Rows
    times: Doubles
    values: Doubles  # [rows, channels]
    usable: Mask  # [rows]


def stretches(
    table: Table,
    channels: Sequence[ChannelColumn],
    reading: Reading,
    rate_hz: float,
    edges: Sequence[int],
) -> Iterator[tuple[int, Stretch]]:
    """Each stretch, with the number of the part of the table that it lies in; its values are in the
    channels' units and axes.

    Parts begin at the rows `edges` (ascending, from 0). Missing values are refused, held or
    interpolated as `reading` says. Where rows have times they are put onto `rate_hz` steps a
    second; then a channel may come from another file beside the table, with times of the same
    clock. Where values are missing for longer than the longest gap, or time jumps by more, a
    stretch ends. Raises DataError with the file, row and column.
    """
    made = made_of(channels, reading)
    own = [index for index, channel in enumerate(channels) if not channel.source]
    others = _others(table, channels, reading)
    columns = [channels[index].column or channels[index].name for index in own]
    values = table.numbers(columns, missing=reading.missing != "refuse")
    times = np.arange(len(table)) / rate_hz
    if reading.time:
        times = table.times(reading.time, reading.time_unit)
    for part, (first, end) in enumerate(zip(edges, [*edges[1:], len(table)], strict=True)):
        samples = _samples(table, np.arange(first, end), values, times, reading)
        if not len(samples.rows):
            continue
        if reading.time:
            found = _at_rate({tuple(own): samples} | others, samples, reading, rate_hz)
        else:
            found = _runs(samples.values, samples.usable, samples.rows)
        for one in found:
            yield part, one if made is None else Stretch(made(one.values), one.rows)


def _others(
    table: Table, channels: Sequence[ChannelColumn], reading: Reading
) -> dict[tuple[int, ...], _Samples]:
    """The samples of other files, by the channels that they hold."""
    found = {}
    for source in dict.fromkeys(channel.source for channel in channels if channel.source):
        held = tuple(index for index, one in enumerate(channels) if one.source == source)
        other = Table(table.path.parent / source, reading.header)
        columns = [channels[index].column or channels[index].name for index in held]
        values = other.numbers(columns, missing=reading.missing != "refuse")
        times = other.times(reading.time, reading.time_unit)
        found[held] = _samples(other, np.arange(len(other)), values, times, reading)
    return found


def _samples(
    table: Table, rows: Rows, values: Doubles, times: Doubles, reading: Reading
) -> _Samples:
    """Of these rows, without those of the same time as the one before."""
    if reading.time:
        later = np.diff(times[rows])
        if (later < 0).any():
            place = table.place(int(rows[1 + int((later < 0).argmax())]))
            raise DataError(
                f"{table.path}, {place}, column {reading.time!r}: time runs backwards; sort the "
                "rows, or name the columns whose change begins a recording"
            )
        rows = rows[np.concatenate([np.ones(min(len(rows), 1), bool), later > 0])]
    return _Samples(rows, times[rows], *_filled(values[rows], times[rows], reading))


def _filled(values: Doubles, when: Doubles, reading: Reading) -> tuple[Doubles, Mask]:
    """The values without gaps that may be filled, and which rows have no other."""
    filled, usable, rows = values.copy(), np.ones(len(values), bool), np.arange(len(values))
    for channel in range(values.shape[1]):
        known = np.flatnonzero(np.isfinite(values[:, channel]))
        if len(known) == len(values):
            continue
        if not len(known):
            return filled, np.zeros(len(values), bool)
        before = known[(np.searchsorted(known, rows, "right") - 1).clip(0)]
        behind = known[np.searchsorted(known, rows).clip(0, len(known) - 1)]
        usable &= rows >= known[0]
        if reading.missing == "hold":
            filled[:, channel] = values[before, channel]
            usable &= when - when[before] <= reading.longest_gap
        else:
            filled[:, channel] = np.interp(when, when[known], values[known, channel])
            usable &= (rows <= known[-1]) & (when[behind] - when[before] <= reading.longest_gap)
    return filled, usable


def _at_rate(
    sources: dict[tuple[int, ...], _Samples], main: _Samples, reading: Reading, rate_hz: float
) -> Iterator[Stretch]:
    """On one grid for all sources, where each of them has samples around a step."""
    first, last = main.times[0], main.times[-1]
    grid = first + np.arange(int(np.floor((last - first) * rate_hz)) + 2) / rate_hz
    grid = grid[grid <= last]
    values = np.empty((len(grid), sum(map(len, sources))), np.float32)
    covered = np.ones(len(grid), bool)
    for channels, samples in sources.items():
        times, inner = samples.times, len(samples.times) - 1
        values[:, list(channels)] = interpolated(times, samples.values, grid)
        behind = np.searchsorted(times, grid).clip(0, inner)
        before = np.where(times[behind] == grid, behind, (behind - 1).clip(0))
        covered &= (times[before] <= grid) & (grid <= times[behind])
        covered &= times[behind] - times[before] <= reading.longest_gap
        covered &= samples.usable[before] & samples.usable[behind]
    rows = main.rows[np.searchsorted(main.times, grid).clip(0, len(main.rows) - 1)]
    return _runs(values, covered, rows)


def _runs(values: NDArray[np.floating], usable: Mask, rows: Rows) -> Iterator[Stretch]:
    """Stretches of usable rows that follow one another."""
    found = np.flatnonzero(usable)
    for run in np.split(found, 1 + np.flatnonzero(np.diff(found) > 1)):
        if len(run):
            yield Stretch(values[run].astype(np.float32), rows[run])
