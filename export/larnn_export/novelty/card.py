"""What a card tells of a novelty: how it was chosen, and what it is."""

from __future__ import annotations

from typing import Any

from larnn_export.changes import NOVEL
from larnn_export.novelty.choice import TRANSITIONS


def choice_table(record: dict[str, Any]) -> str:
    """Of what `python -m export novelty` wrote, as Markdown: each candidate on people held out."""
    lines = [
        "| time constants | prototypes of an activity | covariance to its diagonal | memory | "
        "least AUROC of a row | of transitions | known steps unsure |",
        "|---|---|---|---|---|---|---|",
    ]
    for index, each in enumerate(record["candidates"]):
        seconds = ", ".join(f"{one:g} s" for one in each["seconds"])
        least = min(each["auroc"][name] for name in NOVEL)
        memory = f"{each['memory_seconds']:g} s" if each["memory_seconds"] else "none"
        figures = f"{least:.3f} | {each['auroc'][TRANSITIONS]:.3f} | {each['unsure']:.2%}"
        taken = "**taken**: " if index == record["taken"] else ""
        lines.append(
            f"| {taken}{seconds} | {each['each']} | {each['shrinkage']:.0%} | {memory} | {figures} "
            "|"
        )
    return "\n".join(lines)


def novelty_section(record: dict[str, Any] | None) -> str:
    """Empty where the network tells no novelty."""
    if record is None:
        return ""
    return f"""\
## Unlike training

The output `novelty` tells how unlike its training a step is; above {record["threshold"]:.3f} the \
service says
`unsure` [where it is asked to](../../../docs/novelty.md). It was chosen by a rule among \
{len(record["candidates"])} candidates, on
the people whom the network was trained on, a fifth of them held out at a time. The threshold is
what {record["known"]:.0%} of the held-out people's steps in activities do not pass.
`python -m export novelty` writes it.

{choice_table(record)}

"""
