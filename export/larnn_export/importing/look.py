"""What a file is, as far as it can be known without making a model of it."""

from __future__ import annotations

from dataclasses import dataclass

from larnn_export.importing.axes import open_axes, sure
from larnn_export.importing.fitted import Fitted, fit
from larnn_export.importing.layout import Layout, find_layouts
from larnn_export.importing.options import Options
from larnn_export.importing.original import Original
from larnn_export.importing.pairing import Pairing, pair
from larnn_export.importing.problems import Problems


@dataclass(frozen=True)
class Look:
    """What was found, and all that is missing or does not fit."""

    paired: Pairing
    layouts: list[Layout]
    fitted: Fitted
    problems: Problems


def look(original: Original, options: Options) -> Look:
    """Pairs and axes are found, and the file is run in every layout that may be its own; where
    that cannot be, what is known of it is compared with the options nevertheless."""
    problems = Problems()
    paired = pair(original, options, problems)
    axes = open_axes(original, paired, options, problems)
    layouts: list[Layout] = []
    if not problems:
        layouts = find_layouts(original, paired, axes, options, problems)
    known = layouts[0].axes if layouts else sure(original, paired, axes)
    fitted = fit(original, paired, known, options, problems)
    return Look(paired, layouts, fitted, problems)
