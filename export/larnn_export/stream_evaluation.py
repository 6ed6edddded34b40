"""Whole recordings, one stream each: the network of a run as it is used live."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from larnn_export.carried import Labelled
from larnn_export.data.hapt import NO_ACTIVITY, TRANSITION
from larnn_export.data.uci_har import LABELS, STEPS
from larnn_export.evaluate import confusion_matrix
from larnn_export.networks import RecurrentClassifier
from larnn_export.stream_metrics import (
    Floats,
    Stream,
    delays,
    macro_f1,
    probabilities,
    reliability,
    trend,
)

STREAMS_FILE = "streams.json"
CHUNK = 512
HOP = STEPS // 2


@torch.inference_mode()
def run_streams(network: RecurrentClassifier, recordings: list[Labelled]) -> list[Stream]:
    """All recordings side by side, each from an empty state to its end."""
    x = torch.nn.utils.rnn.pad_sequence([r.signals for r in recordings], batch_first=True)
    state, pieces = network.initial_state(len(recordings)), []
    for chunk in x.split(CHUNK, dim=1):
        logits, state = network(chunk, state)
        pieces.append(logits)
    return _streams(recordings, torch.cat(pieces, dim=1))


@torch.inference_mode()
def run_windows(network: RecurrentClassifier, recordings: list[Labelled]) -> list[Stream]:
    """The windowed way: every 64 steps the last 128 from an empty state; between, the last answer.

    Before the first window is whole, the answer is what that window will say.
    """
    found = []
    for recording in recordings:
        windows = recording.signals.unfold(0, STEPS, HOP).transpose(1, 2)
        answers = torch.cat([network(batch)[0][:, -1] for batch in windows.split(256)])
        ends = torch.arange(len(recording.labels)).sub(STEPS - 1).clamp(min=0) // HOP
        found.append(answers[ends])
    return [
        Stream(recording.subject, recording.labels.numpy(), logits.double().numpy())
        for recording, logits in zip(recordings, found, strict=True)
    ]


def _streams(recordings: list[Labelled], logits: torch.Tensor) -> list[Stream]:
    return [
        Stream(
            recording.subject,
            recording.labels.numpy(),
            logits[row, : len(recording.labels)].double().numpy(),
        )
        for row, recording in enumerate(recordings)
    ]


def together(streams: list[Stream]) -> tuple[Any, Floats]:
    """Labels and logits of all steps that belong to an activity."""
    labels = np.concatenate([stream.labels[stream.asked] for stream in streams])
    return labels, np.concatenate([stream.logits[stream.asked] for stream in streams])


def summarise(
    streams: list[Stream], windows: list[Stream], temperature: float | None = None
) -> dict[str, Any]:
    """The figures of streams, beside those of the windowed way on the same recordings.

    Where no temperature was fitted it is None, and so is the calibration with it.
    """
    labels, logits = together(streams)
    predicted = logits.argmax(1)
    waits = [wait for stream in streams for wait in delays(stream)]
    given = [wait for wait in waits if wait is not None]
    right = [stream.right.astype(float) for stream in streams]
    gain = [a - b.right for a, b in zip(right, windows, strict=True)]
    scale = 1.0 if temperature is None else temperature
    all_labels = np.concatenate([stream.labels for stream in streams])
    confidence = probabilities(np.concatenate([s.logits for s in streams]), scale).max(1)
    return {
        "recordings": len(streams),
        "steps": len(labels),
        "accuracy": float((predicted == labels).mean()),
        "macro_f1": macro_f1(labels, predicted),
        "windowed_accuracy": float(np.concatenate([w.right[w.asked] for w in windows]).mean()),
        "windowed_delay": _delays([wait for window in windows for wait in delays(window)]),
        "per_subject": {
            str(subject): float(
                np.concatenate([s.right[s.asked] for s in streams if s.subject == subject]).mean()
            )
            for subject in sorted({stream.subject for stream in streams})
        },
        "labels": list(LABELS),
        "confusion": confusion_matrix(labels, predicted, len(LABELS)).tolist(),
        "delay": _delays(waits),
        "delays": [round(wait, 2) for wait in given],
        "points_a_minute": asdict(trend(streams, right)),
        "points_a_minute_against_windowed": asdict(trend(streams, gain)),
        "temperature": temperature,
        "calibration_error": {
            "as_trained": reliability(labels, probabilities(logits)).error,
            "with_temperature": None
            if temperature is None
            else reliability(labels, probabilities(logits, temperature)).error,
        },
        "calibration_by_subject": {
            str(subject): reliability(*_shares(streams, subject, scale)).error
            for subject in sorted({stream.subject for stream in streams})
        },
        "confidence": {
            "in_activities": _mean(confidence[all_labels >= 0]),
            "in_transitions": _mean(confidence[all_labels == TRANSITION]),
            "unlabelled": _mean(confidence[all_labels == NO_ACTIVITY]),
        },
    }


def _shares(streams: list[Stream], subject: int, scale: float) -> tuple[Any, Floats]:
    """A person's labels and probabilities."""
    labels, logits = together([stream for stream in streams if stream.subject == subject])
    return labels, probabilities(logits, scale)


def _mean(values: Floats) -> float | None:
    """None where there is no step."""
    return float(values.mean()) if len(values) else None


def _delays(waits: list[float | None]) -> dict[str, Any]:
    """Of the waits that ended; None where none did."""
    given = [wait for wait in waits if wait is not None]
    median, late = np.percentile(given, [50, 90]).tolist() if given else (None, None)
    return {
        "activities": len(waits),
        "never": len(waits) - len(given),
        "median_seconds": median,
        "ninth_decile_seconds": late,
    }
