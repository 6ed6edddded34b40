"""Writes captured steps to Parquet, in threads of its own. Needs pyarrow."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from larnn_service.answer_columns import Answers, telling
from larnn_service.contract import Manifest
from larnn_service.conversion.names import Names
from larnn_service.engine.capture.description import answered, column
from larnn_service.engine.capture.folder import Folder
from larnn_service.engine.capture.stretch import SHORT_STEPS, Rows, Stretch

logger = logging.getLogger(__name__)

_TEXTS = ["stream", "owner", "recording", "label"]
_ASCENDING = dict.fromkeys(("position", "answered"), "DELTA_BINARY_PACKED")


class Writer:
    """Of one process. A file appears when it is whole."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._numbers = count()
        self._fails = False

    def write(self, rows: Sequence[Rows]) -> str:
        """Append these of one stretch to its file. What became of them: written, forgotten, or
        failed, which is logged once, until it goes well again. Of any stretch by one thread at a
        time."""
        stretch = rows[0].stretch
        try:
            outcome = self._append(stretch, rows)
        except Exception as error:
            stretch.file = None  # what follows would follow on a gap there
            if not self._fails:
                unknown = None if isinstance(error, OSError | pa.ArrowException) else error
                logger.error(
                    "captured steps cannot be written, and are lost: %s", error, exc_info=unknown
                )
            self._fails = True
            return "failed"
        if self._fails:
            logger.warning("captured steps are written again")
        self._fails = False
        return outcome

    def _append(self, stretch: Stretch, rows: Sequence[Rows]) -> str:
        folder, manifest = self._folder, stretch.manifest
        if folder.is_forgotten(stretch.stream):
            folder.forget(stretch.stream)  # as long as it lives
            return "forgotten"
        added, before, file = sum(len(each.steps) for each in rows), None, stretch.file
        if file is not None and stretch.written + added <= SHORT_STEPS:
            with contextlib.suppress(FileNotFoundError):  # it was too old, or too much
                before = pq.read_table(file, use_threads=False)
        if before is None or file is None:
            place = folder.place(manifest, stretch.stream)
            file = place / f"{stretch.fence}-{next(self._numbers):06}.parquet"
            stretch.written = 0
        table = _table(manifest, stretch, file.stem, rows)
        if before is not None:
            table = pa.concat_tables([before, table])
        if not self._publish(table, file):
            return "forgotten"
        stretch.file, stretch.written = file, len(table)
        return "written"

    def _publish(self, table: pa.Table, file: Path) -> bool:
        draft = self._folder.draft(f"{file.parent.name}-{file.name}")
        try:
            pq.write_table(
                table,
                draft,
                compression="none",  # of measured values nothing is saved
                use_dictionary=[name for name in _TEXTS if name in table.column_names],
                column_encoding=_ASCENDING,
                write_statistics=False,
            )
            return self._folder.publish(draft, file)
        finally:
            draft.unlink(missing_ok=True)


def _table(manifest: Manifest, stretch: Stretch, recording: str, rows: Sequence[Rows]) -> pa.Table:
    steps = np.concatenate([each.steps for each in rows])
    outputs = np.concatenate([each.outputs for each in rows])
    sizes = [len(each.steps) for each in rows]
    first = rows[0].position
    when = np.repeat([int(each.answered * 1000) for each in rows], sizes)
    given, others = manifest.contract.outputs, answered(manifest)
    names = [column(name, others) for name in Names(manifest.contract.input, "").channels]
    texts = {"stream": stretch.stream, "owner": stretch.owner, "recording": recording}
    return pa.table(
        {
            **{name: _same(text, len(steps)) for name, text in texts.items()},
            "position": pa.array(np.arange(first, first + len(steps))),
            "answered": pa.array(when, pa.timestamp("ms", "UTC")),
            **{name: pa.array(one) for name, one in zip(names, steps.T, strict=True)},
            **Answers(given, telling(given)).columns(outputs),
        }
    )


def _same(text: str, rows: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), [text])
