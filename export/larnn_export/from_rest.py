"""A network behind the phone's filters, asked about raw windows by themselves: filters from rest.

The windows of `evaluate --raw` are cut from recordings that were filtered from end to end, as in a
stream that has run for long. A single request, and the start of a stream, begin with filters at
rest.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from larnn_export.data import Split
from larnn_export.data.hapt import NO_ACTIVITY, RAW_CHANNELS, Places, Recording
from larnn_export.data.uci_har import SAMPLE_RATE_HZ, STEPS
from larnn_export.networks import RawClassifier, RecurrentClassifier

SECONDS = (0.5, 1.0, 2.0, 3.0, 5.0)
"""Ends of the spans since the start that are told apart."""
BATCH = 128


@torch.inference_mode()
def from_rest(
    network: RecurrentClassifier, test: Split, places: Places, recordings: list[Recording]
) -> dict[str, Any]:
    """The accuracy of single windows, and of streams that begin where these do, by the time since.

    A stream goes on in its recording for up to five seconds. Of its steps those of an activity
    count. The answer at a step describes the step before, so the first has none.
    """
    raw = RawClassifier(network).eval()
    steps = int(SECONDS[-1] * SAMPLE_RATE_HZ) + 1
    found = {each.experiment: each for each in recordings}
    right_last, right, asked = 0, np.zeros(steps - 1), np.zeros(steps - 1)
    for first in range(0, len(test), BATCH):
        rows = range(first, min(first + BATCH, len(test)))
        signals = np.zeros((len(rows), steps, len(RAW_CHANNELS)), np.float32)
        labels = np.full((len(rows), steps), NO_ACTIVITY)
        for place, row in enumerate(rows):
            recording, start = found[places.experiments[row]], places.starts[row]
            piece = recording.signals[start : start + steps]
            signals[place, : len(piece)] = piece
            labels[place, : len(piece)] = recording.labels[start : start + steps]
        said = raw(torch.from_numpy(signals))[0].argmax(-1).numpy()
        right_last += int((said[:, STEPS - 1] == test.labels[first : first + len(rows)]).sum())
        known = labels[:, :-1] >= 0
        asked += known.sum(0)
        right += (known & (said[:, 1:] == labels[:, :-1])).sum(0)
    return {"accuracy": right_last / len(test), "since_start": _by_span(right, asked)}


def _by_span(right: Any, asked: Any) -> dict[str, float | None]:
    """The share of right answers by each of SECONDS, from the one before."""
    edges = [0, *(int(second * SAMPLE_RATE_HZ) for second in SECONDS)]
    spans = zip((0.0, *SECONDS), SECONDS, edges, edges[1:], strict=False)
    return {
        f"{begin:g} to {end:g} s": float(right[low:high].sum() / asked[low:high].sum())
        if asked[low:high].sum()
        else None
        for begin, end, low, high in spans
    }
