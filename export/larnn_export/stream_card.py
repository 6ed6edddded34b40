"""The part of a model card that tells of whole recordings, one stream each."""

from __future__ import annotations

from typing import Any


def streams_section(streams: dict[str, Any] | None) -> str:
    """Of what `summarise` gave; empty where nothing was measured."""
    if streams is None:
        return ""
    delay, windowed = streams["delay"], streams["windowed_accuracy"]
    slope = streams["points_a_minute_against_windowed"]
    sure = streams["confidence"]
    return f"""\
## In live streams

{streams["recordings"]} whole recordings of {len(streams["per_subject"])} people whom it was not \
trained on, one stream each from its
first step to its last; {streams["steps"]:,} steps belong to one of the activities.

| | |
|---|---|
| steps answered right | {streams["accuracy"]:.2%} |
| macro F1 | {streams["macro_f1"]:.3f} |
| the same network on windows of 128 steps, every 64 | {windowed:.2%} |
| from an activity's start to the first right answer that holds half a second, median | \
{seconds(delay["median_seconds"])} |
| nine of ten within | {seconds(delay["ninth_decile_seconds"])} |
| activities never answered right for so long | {delay["never"]} of {delay["activities"]} |
| drift against the windowed way, points a minute, 95% over people | \
{slope["slope"]:+.2f} ({slope["low"]:+.2f} to {slope["high"]:+.2f}) |
| expected calibration error | {_calibration(streams)} |
| the same by person | {_by_person(streams)} |
| mean confidence in activities, in labelled transitions, where nothing is labelled | \
{", ".join(map(_share, sure.values()))} |

"""


def seconds(delay: float | None) -> str:
    """A delay, where any ended."""
    return "–" if delay is None else f"{delay:.2f} s"


def _by_person(streams: dict[str, Any]) -> str:
    """From the best to the worst, whose name is told."""
    errors = streams["calibration_by_subject"]
    worst = max(errors, key=errors.__getitem__)
    return f"{min(errors.values()):.3f} to {errors[worst]:.3f} (person {worst})"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _calibration(streams: dict[str, Any]) -> str:
    """As published: with the temperature, where one was fitted."""
    error, temperature = streams["calibration_error"], streams["temperature"]
    if temperature is None:
        return f"{error['as_trained']:.3f}"
    return (
        f"{error['with_temperature']:.3f} (temperature {temperature:.2f}, of people held out of "
        f"training; {error['as_trained']:.3f} without)"
    )
