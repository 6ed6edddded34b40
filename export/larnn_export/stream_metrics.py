"""How right a stream is, step by step, and how soon: numpy over logits and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.data.hapt import TRANSITION
from larnn_export.data.uci_har import LABELS, SAMPLE_RATE_HZ

STABLE_STEPS = 25
"""Half a second: an answer that holds so long counts as given."""
BINS = 15
SLICE_SECONDS = 30.0
RESAMPLES = 2000

Floats = NDArray[np.float64]
Whole = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Stream:
    """One recording and what a network said at each of its steps."""

    subject: int
    labels: Whole  # [steps], negative outside activities, as hapt has them
    logits: Floats  # [steps, classes]

    @property
    def asked(self) -> Mask:
        """The steps that belong to an activity."""
        mask: Mask = self.labels >= 0
        return mask

    @property
    def right(self) -> Mask:
        correct: Mask = self.logits.argmax(1) == self.labels
        return correct


def macro_f1(labels: Whole, predicted: Whole) -> float:
    """The mean over classes of the harmonic mean of precision and recall."""
    scores = []
    for label in range(len(LABELS)):
        both = np.sum((labels == label) & (predicted == label))
        either = np.sum(labels == label) + np.sum(predicted == label)
        scores.append(2 * both / either if either else 0.0)
    return float(np.mean(scores))


def delays(stream: Stream) -> list[float | None]:
    """Seconds from each activity's start to its first stable right answer; None where none came."""
    edges = np.flatnonzero(np.diff(stream.labels, prepend=TRANSITION - 1))
    found: list[float | None] = []
    for start, end in zip(edges, [*edges[1:], len(stream.labels)], strict=True):
        if stream.labels[start] >= 0 and end - start >= STABLE_STEPS:
            runs = np.convolve(stream.right[start:end], np.ones(STABLE_STEPS), "valid")
            stable = np.flatnonzero(runs > STABLE_STEPS - 0.5)
            found.append(float(stable[0] / SAMPLE_RATE_HZ) if len(stable) else None)
    return found


def probabilities(logits: NDArray[Any], temperature: float = 1.0) -> NDArray[Any]:
    """Softmax of logits over the temperature, in the type that they have."""
    scaled = logits / temperature
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    shares: NDArray[Any] = powers / powers.sum(-1, keepdims=True)
    return shares


def cross_entropy(labels: Whole, logits: Floats, temperature: float) -> float:
    right = probabilities(logits, temperature)[np.arange(len(labels)), labels]
    return float(-np.log(right.clip(min=1e-12)).mean())


def best_temperature(labels: Whole, logits: Floats) -> float:
    """The temperature of least cross-entropy, to 1%."""
    candidates = np.exp(np.arange(np.log(0.25), np.log(8), 0.01))
    losses = [cross_entropy(labels, logits, value) for value in candidates]
    return float(candidates[int(np.argmin(losses))])


@dataclass(frozen=True)
class Reliability:
    """Answers in bins of equal width by how sure they were."""

    counts: Whole  # [bins]
    confidence: Floats  # [bins], the mean
    accuracy: Floats  # [bins]

    @property
    def error(self) -> float:
        """Expected calibration error: how far sureness and accuracy lie apart, by answers."""
        return float(np.average(np.abs(self.confidence - self.accuracy), weights=self.counts))


def reliability(labels: Whole, shares: Floats) -> Reliability:
    """Of answers with these shares [answers, classes]."""
    confidence, right = shares.max(1), shares.argmax(1) == labels
    place = np.minimum((confidence * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, minlength=BINS)
    at_least_one = counts.clip(min=1)
    return Reliability(
        counts,
        np.bincount(place, confidence, BINS) / at_least_one,
        np.bincount(place, right, BINS) / at_least_one,
    )


@dataclass(frozen=True)
class Trend:
    """A change in accuracy, in points a minute, with its interval of 95% over people."""

    slope: float
    low: float
    high: float


def over_time(streams: list[Stream], scores: list[Floats]) -> tuple[Floats, Floats, Floats]:
    """[streams, slices]: steps asked and the sum of their scores, and each slice's minute."""
    length = int(SLICE_SECONDS * SAMPLE_RATE_HZ)
    slices = max(-(-len(stream.labels) // length) for stream in streams)
    asked, total = np.zeros((2, len(streams), slices))
    for row, (stream, score) in enumerate(zip(streams, scores, strict=True)):
        place = np.flatnonzero(stream.asked) // length
        asked[row] = np.bincount(place, minlength=slices)
        total[row] = np.bincount(place, score[stream.asked], minlength=slices)
    return asked, total, (np.arange(slices) + 0.5) * SLICE_SECONDS / 60


def trend(streams: list[Stream], scores: list[Floats], seed: int = 0) -> Trend:
    """The slope of the scores over time since the stream began; people are drawn again."""
    asked, total, minutes = over_time(streams, scores)
    subjects = np.array([stream.subject for stream in streams])
    people = np.unique(subjects)
    random = np.random.default_rng(seed)

    def slope(rows: Whole) -> float:
        weight, sums = asked[rows].sum(0), total[rows].sum(0)
        centred = minutes - np.average(minutes, weights=weight)
        return float((centred * sums).sum() / (centred**2 * weight).sum() * 100)

    def drawn() -> Whole:
        chosen = random.choice(people, len(people))
        return np.concatenate([np.flatnonzero(subjects == person) for person in chosen])

    low, high = np.percentile([slope(drawn()) for _ in range(RESAMPLES)], [2.5, 97.5])
    return Trend(slope(np.arange(len(streams))), float(low), float(high))
