"""Pictures of streams for the model card: accuracy over time, delays, reliability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import PercentFormatter

from larnn_export.pictures import INK, TRAINING, VALIDATION, plain, save
from larnn_export.stream_evaluation import together
from larnn_export.stream_metrics import Stream, delays, over_time, probabilities, reliability

PICTURE_FILE = "streams.png"
FEWEST = 1000
"""Steps: a half minute with fewer says little and is left out of the picture."""


def draw_streams(
    run: Path, streams: list[Stream], windows: list[Stream], fitted: float | None = None
) -> None:
    """Write RUN/streams.png; `fitted` is the temperature, None where there is none."""
    figure, (time, wait, sure) = plt.subplots(1, 3, figsize=(12.6, 3.4), layout="constrained")
    for found, colour, label in (
        (windows, TRAINING, "windows of 2.56 s"),
        (streams, VALIDATION, "streams"),
    ):
        asked, total, minutes = over_time(found, [s.right.astype(float) for s in found])
        steps = asked.sum(0)
        enough = steps >= FEWEST
        time.plot(minutes[enough], total.sum(0)[enough] / steps[enough], color=colour, label=label)
        waits = [min(each, 5.0) for stream in found for each in delays(stream) if each is not None]
        wait.hist(waits, np.arange(0, 5.3, 0.25), color=colour, histtype="step", lw=1.5)
    labels, logits = together(streams)
    sure.plot([0, 1], [0, 1], color=INK, lw=1, ls=":")
    answers = [(1.0, TRAINING, "as trained")]
    if fitted is not None:
        answers.append((fitted, VALIDATION, f"temperature {fitted:.2f}"))
    for temperature, colour, label in answers:
        bins = reliability(labels, probabilities(logits, temperature))
        some = bins.counts > 0
        sure.plot(bins.confidence[some], bins.accuracy[some], "o-", ms=3, color=colour, label=label)
    time.set(title="Accuracy since the stream began", xlabel="minutes", ylabel="accuracy")
    time.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    wait.set(title="Until the first stable right answer", xlabel="seconds", ylabel="activities")
    sure.set(title="Reliability", xlabel="confidence", ylabel="accuracy")
    for axes in (time, wait, sure):
        plain(axes)
    for axes in (time, sure):
        axes.legend(frameon=False)
    save(figure, run / PICTURE_FILE)
