"""How a published network bears other mounts, units and noise, and what it says of no person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.changes import ROWS, Floats, Row
from larnn_export.data.hapt import Recording
from larnn_export.manifests import read_manifest
from larnn_export.onnx_run import Session
from larnn_export.robustness_novelty import Novelties
from larnn_export.running import run_together
from larnn_export.stream_metrics import probabilities
from larnn_service.conversion.conversion import conversion

ROBUSTNESS_FILE = "robustness.json"


@dataclass
class Counts:
    """Of one row of the table, one way."""

    asked: int = 0
    """Steps that belong to an activity."""
    right: int = 0
    steps: int = 0
    confidence: float = 0.0
    """Sum of that of all steps."""
    refused: int = 0
    """Steps whose answers are no finite numbers: the service gives none."""
    labels: Counter[str] = field(default_factory=Counter)


def measure(
    version: Path, recordings: Sequence[Recording], seed: int = 0, rows: Sequence[Row] = ROWS
) -> list[dict[str, Any]]:
    """The table's rows: each recording as one stream from its first step to its last, changed as
    the row says, as it comes and, where a client can say what it is, as the service converts it.
    Where the network tells novelty, the first row is what the others' is compared with.

    `version` is the folder of a network of a phone's six raw channels. Raises OSError, ValueError.
    """
    manifest = read_manifest(version)
    contract, session = manifest.contract, Session(version / manifest.graph.file)
    streams, whose, labels = [], [], []
    for index, row in enumerate(rows):
        found = conversion(contract.input, manifest.name, row.units, row.axes)
        for recording in recordings:
            random = np.random.default_rng([seed, index, recording.experiment])
            changed = row.change(recording.signals, random)
            ways = [(False, changed)] + ([(True, found(changed))] if found is not None else [])
            for told, signals in ways:
                streams.append(signals)
                labels.append(recording.labels if row.of_people else None)
                whose.append((index, told))
    counts = {key: Counts() for key in whose}
    telling = [each for each in contract.outputs if each.unsure_above is not None]
    names = [output.name for output in (contract.outputs[0], *telling)]
    novelties = Novelties(telling[0].unsure_above or 0.0) if telling else None
    for first, (answers, *further) in run_together(session, contract, streams, names):
        for stream, key in enumerate(whose):
            end = min(first + len(answers[stream]), len(streams[stream]))
            if first < end:
                true = labels[stream]
                of_chunk = None if true is None else true[first:end]
                _count(counts[key], answers[stream, : end - first], of_chunk, contract.labels)
                if novelties is not None:
                    novelties.add(key, further[0][stream, : end - first, 0], of_chunk)
    table = []
    for index, row in enumerate(rows):
        table.append(_told(row, counts[index, False], counts.get((index, True))))
        if novelties is not None:
            table[-1]["novelty"] = novelties.figures((index, False), own=(0, False))
    return table


def _count(
    counts: Counts, logits: Floats, true: NDArray[np.int64] | None, names: Sequence[str]
) -> None:
    good = np.isfinite(logits).all(axis=1)
    counts.steps += len(logits)
    counts.refused += int((~good).sum())
    shares = probabilities(logits[good])
    said = logits[good].argmax(axis=1)
    counts.confidence += float(shares.max(axis=1).sum())
    counts.labels.update({names[label]: int(n) for label, n in enumerate(np.bincount(said))})
    if true is not None:
        asked = true >= 0
        counts.asked += int(asked.sum())
        counts.right += int((said == true[good])[asked[good]].sum())


def _told(row: Row, plain: Counts, converted: Counts | None) -> dict[str, Any]:
    return {
        "row": row.name,
        "units": row.units,
        "axes": row.axes,
        "as_it_comes": _figures(plain),
        "told": None if converted is None else _figures(converted),
    }


def _figures(counts: Counts) -> dict[str, Any]:
    answered = counts.steps - counts.refused
    label, most = counts.labels.most_common(1)[0] if answered else ("", 0)
    return {
        "steps": counts.steps,
        "accuracy": counts.right / counts.asked if counts.asked else None,
        "confidence": counts.confidence / answered if answered else None,
        "refused": counts.refused / counts.steps,
        "most_common": label,
        "share_of_most_common": most / answered if answered else None,
    }
