"""Steps as a live source gives them: some at a time, from a file or line by line, in their time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from larnn_cli.recordings import Floats
from larnn_export.data import DataError

STANDARD_INPUT = "standard input"
LARGEST = float(np.finfo(np.float32).max)


def cut(steps: Floats, size: int) -> Iterator[Floats]:
    """[steps, channels] in chunks of `size` steps; the last one may be shorter."""
    for first in range(0, len(steps), size):
        yield steps[first : first + size]


def from_lines(lines: Iterable[str], channels: Sequence[str], size: int) -> Iterator[Floats]:
    """One step a line: numbers between commas, or a JSON array; chunks of `size` steps.

    A first line of names says which column is which channel. Raises DataError with the line.
    """
    picked, width = list(range(len(channels))), len(channels)
    waiting: list[list[float]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        cells = _cells(line, number)
        if number == 1 and not any(map(_is_number, cells)):
            picked, width = _columns(cells, channels), len(cells)
            continue
        if len(cells) != width:
            raise _complaint(number, f"{len(cells)} numbers; {width} are asked for")
        waiting.append([_number(cells[index], number) for index in picked])
        if len(waiting) == size:
            yield np.array(waiting, np.float32)
            waiting = []
    if waiting:
        yield np.array(waiting, np.float32)


def paced(chunks: Iterable[Floats], rate: float) -> Iterator[Floats]:
    """Each chunk when its last step would have been measured, `rate` steps a second."""
    started, steps = time.perf_counter(), 0
    for chunk in chunks:
        steps += len(chunk)
        time.sleep(max(started + steps / rate - time.perf_counter(), 0))
        yield chunk


def _cells(line: str, number: int) -> list[Any]:
    if not line.lstrip().startswith("["):
        return [cell.strip() for cell in line.split(",")]
    try:
        cells: list[Any] = json.loads(line)
    except ValueError as error:
        raise _complaint(number, f"no JSON array: {error}") from error
    return cells


def _columns(header: list[Any], channels: Sequence[str]) -> list[int]:
    missing = [channel for channel in channels if channel not in header]
    if missing:
        raise _complaint(1, f"neither numbers nor a header with {', '.join(missing)}")
    return [header.index(channel) for channel in channels]


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


def _number(cell: Any, line: int) -> float:
    if not _is_number(cell) or not abs(float(cell)) <= LARGEST:
        raise _complaint(line, f"{cell!r} is no finite number")
    return float(cell)


def _complaint(line: int, what: str) -> DataError:
    return DataError(f"{STANDARD_INPUT}, line {line}: {what}")
