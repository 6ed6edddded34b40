"""How well a novelty tells changed streams from people's own, and how often it is wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from larnn_export.changes import Floats
from larnn_export.data.hapt import TRANSITION
from larnn_export.novelty.choice import auroc


class Novelties:
    """Of the streams of each row, one way."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self._known: dict[Hashable, list[Floats]] = defaultdict(list)
        self._transitions: dict[Hashable, list[Floats]] = defaultdict(list)

    def add(self, key: Hashable, novelty: Floats, true: NDArray[np.int64] | None) -> None:
        """Further steps [steps] of a row: those of an activity count, or all where no person is in
        it."""
        if true is None:
            self._known[key].append(novelty)
            return
        self._known[key].append(novelty[true >= 0])
        self._transitions[key].append(novelty[true == TRANSITION])

    def figures(self, key: Hashable, own: Hashable) -> dict[str, Any]:
        """`unsure`: the share of its steps that are told so. `auroc`: against the known steps of
        the row `own`, people as they were recorded. Of that row itself: of its transitions."""
        mine = np.concatenate(self._known[key])
        known = np.concatenate(self._known[own])
        if key == own:
            other = np.concatenate(self._transitions[own])
            between = {
                "transitions_auroc": _auroc(known, other),
                "transitions_unsure": self._unsure(other),
            }
            return {"unsure": self._unsure(mine), **between}
        return {"unsure": self._unsure(mine), "auroc": _auroc(known, mine)}

    def _unsure(self, novelty: Floats) -> float | None:
        return float((novelty > self._threshold).mean()) if len(novelty) else None


def _auroc(known: Floats, novel: Floats) -> float | None:
    return auroc(known.astype(float), novel.astype(float)) if len(known) and len(novel) else None
