"""The test set: how the network of a run does on people it was not trained on, at its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from larnn_export import checkpoint
from larnn_export.accuracy import last_logits
from larnn_export.data import DataError, Split
from larnn_export.data.uci_har import INFO
from larnn_export.networks import RecurrentClassifier
from larnn_export.trained_on import known_to

EVALUATION_FILE = "evaluation.json"
RAW_EVALUATION_FILE = "evaluation-raw.json"
"""Of the same windows, cut from the raw recordings."""


def confusion_matrix(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """[true, predicted] counts."""
    counts = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def evaluate(
    run: Path,
    test: Split,
    file: str = EVALUATION_FILE,
    more: Callable[[RecurrentClassifier], dict[str, Any]] = lambda _: {},
) -> dict[str, Any]:
    """Measure the run's network on the test set's windows and write RUN/FILE, with what `more`
    measures of it.

    Raises DataError where the run was trained on other channels or labels, or on people of UCI HAR
    whose windows these are.
    """
    network = checkpoint.load_network(run)
    _, record = checkpoint.read(run, checkpoint.FINISHED)
    learned = checkpoint.data_info(record)
    for field in ("channels", "labels", "sample_rate_hz"):
        if getattr(learned, field) != getattr(test.info, field):
            raise DataError(f"{run} was trained on other data: its {field} differ from this data's")
    if learned == INFO and (known := known_to(record, test.subjects.tolist())):
        raise DataError(f"{run} was trained on people whose windows these are: {sorted(known)}")
    windows = torch.from_numpy(test.signals)
    predicted = last_logits(lambda x: network(x)[0], windows).argmax(1).numpy()
    of_weights = {"tensors_sha256": record["tensors_sha256"]}
    result = summarise(test, predicted) | more(network) | of_weights
    (run / file).write_text(json.dumps(result, indent=1) + "\n")
    return result


def summarise(test: Split, predicted: NDArray[np.int64]) -> dict[str, Any]:
    """Accuracy over all windows, of each class (recall) and of each person, and the confusions."""
    correct, labels = predicted == test.labels, test.info.labels
    return {
        "windows": len(test),
        "correct": int(correct.sum()),
        "accuracy": float(correct.mean()),
        "labels": list(labels),
        "per_class": {
            label: _share(correct[test.labels == index]) for index, label in enumerate(labels)
        },
        "per_subject": {
            test.info.subject_name(subject): _share(correct[test.subjects == subject])
            for subject in sorted(set(test.subjects.tolist()))
        },
        "confusion": confusion_matrix(test.labels, predicted, len(labels)).tolist(),
    }


def _share(correct: NDArray[np.bool_]) -> float | None:
    """None where there is no window."""
    return round(float(correct.mean()), 6) if len(correct) else None
