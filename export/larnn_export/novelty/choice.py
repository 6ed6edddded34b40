"""Which novelty is taken: a rule, and what it asks of people held out of training's own.

The rule was written before any figure. Of the candidates that one wins whose smallest margin over
an aim is largest; of those within `TIE` of it, the first. A margin is an AUROC, mean over five
folds, less its aim. In a fold every fifth of the people whom the network was trained on is held
out, from the first, the second and so on, and the prototypes are of the others. The threshold is
what `KNOWN` of the held-out people's steps in activities do not pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from larnn_export.changes import NOVEL, Row
from larnn_export.data.hapt import TRANSITION, Recording
from larnn_export.data.uci_har import SAMPLE_RATE_HZ
from larnn_export.novelty.prototypes import Prototypes, fit
from larnn_export.novelty.score import Score, remembered
from larnn_export.novelty.statistics import Doubles, Statistics

FOLDS = 5
AIM, AIM_OF_TRANSITIONS = 0.95, 0.90
TRANSITIONS = "transitions"
TIE = 0.002
KNOWN = 0.99
EVERY = 25
"""Steps: each such one of a recording is looked at, since neighbours say the same."""
OF_NOBODY = 3000
"""Steps of a stream that has no person in it: a minute."""


@dataclass(frozen=True)
class Candidate:
    """One way of telling novelty."""

    seconds: tuple[float, ...]
    """Time constants of the statistics."""
    each: int
    """Prototypes of every activity."""
    shrinkage: float
    memory_seconds: float
    """Time constant of what is remembered of the distance; 0: nothing."""


CANDIDATES = tuple(
    Candidate(*fields)
    for fields in product([(1.0, 8.0), (1.0, 20.0)], [8, 32], [0.1, 1.0], [0.0, 30.0])
)


@dataclass(frozen=True)
class Looked:
    """Statistics of one stream, at every so many steps."""

    subject: int
    features: Doubles
    labels: NDArray[np.int64] | None
    """None where no person is in it."""

    @property
    def known(self) -> NDArray[np.bool_]:
        """The steps that count: those of activities, or all of nobody's."""
        return np.ones(len(self.features), bool) if self.labels is None else self.labels >= 0


def auroc(known: Doubles, novel: Doubles) -> float:
    """How often a novel step has the larger score of two, a tie counting half."""
    ranks = rankdata(np.concatenate([known, novel]))[len(known) :]
    least = len(novel) * (len(novel) + 1) / 2
    return float((ranks.sum() - least) / (len(known) * len(novel)))


def look(statistics: Statistics, recordings: Sequence[Recording], row: Row | None) -> list[Looked]:
    """At the recordings, changed as the row says; of rows the first recording of each person."""
    found, seen = [], set()
    for recording in recordings:
        signals, labels = recording.signals, recording.labels
        if row is not None:
            if recording.subject in seen:
                continue
            seen.add(recording.subject)
            of_whom = slice(None if row.of_people else OF_NOBODY)
            random = np.random.default_rng([0, recording.experiment])
            signals, labels = row.change(signals[of_whom], random), labels[of_whom]
        features = statistics.of_recording(signals)[::EVERY].copy()  # not a view of all
        mine = labels[::EVERY] if row is None or row.of_people else None
        found.append(Looked(recording.subject, features, mine))
    return found


def measure(
    candidate: Candidate, own: Sequence[Looked], changed: Mapping[str, Sequence[Looked]]
) -> dict[str, Any]:
    """A candidate's figures on people held out.

    `unsure` is the share of a fold's known steps beyond the threshold of the other folds.
    """
    people = sorted({each.subject for each in own})
    areas: dict[str, list[float]] = {name: [] for name in (TRANSITIONS, *changed)}
    known: list[Doubles] = []
    for fold in range(FOLDS):
        held_out = {*people[fold::FOLDS]}
        taught = [each for each in own if each.subject not in held_out]
        score = partial(_score, candidate, _fit(candidate, taught))
        mine = [(score(each), each) for each in own if each.subject in held_out]
        known.append(np.concatenate([scores[each.known] for scores, each in mine]))
        between = [scores[each.labels == TRANSITION] for scores, each in mine]
        areas[TRANSITIONS].append(auroc(known[-1], np.concatenate(between)))
        for name, streams in changed.items():
            theirs = [score(each)[each.known] for each in streams if each.subject in held_out]
            areas[name].append(auroc(known[-1], np.concatenate(theirs)))
    others = [np.concatenate([k for k in known if k is not one]) for one in known]
    unsure = [
        (one > np.quantile(rest, KNOWN)).mean() for one, rest in zip(known, others, strict=True)
    ]
    figures = {name: float(np.mean(each)) for name, each in areas.items()}
    return {
        **asdict(candidate),
        "margin": margin(figures),
        "unsure": float(np.mean(unsure)),
        "threshold": float(np.quantile(np.concatenate(known), KNOWN)),
        "auroc": figures,
    }


def _fit(candidate: Candidate, taught: Sequence[Looked]) -> Prototypes:
    labels = [each.labels[each.known] for each in taught if each.labels is not None]
    features = np.concatenate([each.features[each.known] for each in taught])
    return fit(features, np.concatenate(labels), candidate.each, candidate.shrinkage)


def _score(candidate: Candidate, prototypes: Prototypes, looked: Looked) -> Doubles:
    distance = prototypes.distance(looked.features)
    return remembered(distance, candidate.memory_seconds, SAMPLE_RATE_HZ / EVERY)


def margin(figures: Mapping[str, float]) -> float:
    """The smallest over an aim."""
    aims = {**dict.fromkeys(NOVEL, AIM), TRANSITIONS: AIM_OF_TRANSITIONS}
    return min(figures[name] - aim for name, aim in aims.items())


def winner(measured: Sequence[Mapping[str, Any]]) -> int:
    """The index of the one that the rule takes."""
    best = max(each["margin"] for each in measured)
    return next(i for i, each in enumerate(measured) if each["margin"] >= best - TIE)


def choose(
    recordings: Sequence[Recording],
    rows: Sequence[Row],
    candidates: Sequence[Candidate] = CANDIDATES,
) -> tuple[Score, dict[str, Any]]:
    """The score of the winner, of all these people, and the figures of all candidates.

    Raises ValueError where fewer people than folds are there.
    """
    if len({each.subject for each in recordings}) < FOLDS:
        raise ValueError(f"a novelty is chosen by {FOLDS} folds of people: there are fewer")
    signals = np.concatenate([each.signals for each in recordings]).astype(np.float64)
    shift, deviation = signals.mean(axis=0), signals.std(axis=0)
    measured, seen = [], {}
    for candidate in candidates:
        if candidate.seconds not in seen:
            statistics = Statistics(shift, deviation, candidate.seconds, SAMPLE_RATE_HZ)
            changed = {row.name: look(statistics, recordings, row) for row in rows}
            seen[candidate.seconds] = statistics, look(statistics, recordings, None), changed
        _, own, changed = seen[candidate.seconds]
        measured.append(measure(candidate, own, changed))
    taken = winner(measured)
    statistics, own, _ = seen[candidates[taken].seconds]
    prototypes = _fit(candidates[taken], own)
    memory, threshold = candidates[taken].memory_seconds, measured[taken]["threshold"]
    figures = {"taken": taken, "known": KNOWN, "candidates": measured}
    return Score(statistics, prototypes, memory, threshold), figures
