"""The robustness table, for the card and the page."""

from __future__ import annotations

from typing import Any


def table(rows: list[dict[str, Any]]) -> str:
    """As Markdown: accuracy and confidence as the numbers come, and where a client says what they
    are; and where the network tells novelty, how well that tells the row, and how many of its steps
    are unsure."""
    novel = "novelty" in rows[0]
    lines = [
        "| the phone's numbers | steps right | confidence | told | steps right when told |"
        + (" unlike training, AUROC | unsure |" if novel else ""),
        "|---|---|---|---|---|" + ("---|---|" if novel else ""),
    ]
    for row in rows:
        plain, told = row["as_it_comes"], row["told"]
        said = ", ".join(f"`{name}={row[name]}`" for name in ("units", "axes") if row[name])
        lines.append(
            f"| {row['row']} | {_right(plain)} | {_confidence(plain)} | {said or '–'} | "
            f"{'–' if told is None else _right(told)} |" + _novelty(row.get("novelty"))
        )
    between = rows[0].get("novelty", {})
    if between.get("transitions_auroc") is not None:
        figures = f"{between['transitions_auroc']:.3f} | {between['transitions_unsure']:.1%}"
        lines.append(f"| as recorded, in labelled transitions | – | – | – | – | {figures} |")
    return "\n".join(lines)


def _novelty(figures: dict[str, Any] | None) -> str:
    if figures is None:
        return ""
    area, unsure = figures.get("auroc"), figures["unsure"]
    told = "–" if unsure is None else f"{unsure:.2%}" if area is None else f"{unsure:.1%}"
    return f" {'–' if area is None else f'{area:.3f}'} | {told} |"


def _right(figures: dict[str, Any]) -> str:
    if figures["accuracy"] is not None:
        return f"{figures['accuracy']:.2%}"
    if not figures["most_common"]:
        return "no answer"
    label = figures["most_common"].lower().replace("_", " ")
    return f"none: {figures['share_of_most_common']:.0%} “{label}”"


def _confidence(figures: dict[str, Any]) -> str:
    return "–" if figures["confidence"] is None else f"{figures['confidence']:.2f}"


OF_NOVELTY = """\
“Unlike training” is how often a step of the row has the larger novelty of two, the other being a
step in an activity of the same people as they were recorded; “unsure” is the share beyond the
threshold: of known steps in the first row, where it is a mistake.
"""


def robustness_section(record: dict[str, Any] | None) -> str:
    """Of what `python -m export robustness` wrote; empty where nothing was measured."""
    if record is None:
        return ""
    return f"""\
## In other hands

{record["recordings"]} whole recordings of {record["people"]} people whom it was not trained on, \
one stream each, changed
as by a phone that is worn otherwise or measures in other units: as the numbers come, and where the
client [says what they are](../../../docs/protocol.md#units-and-axes). An answer is compared with
the label of its own step. “Steps right” is of the steps that belong to an activity; “confidence”,
the largest probability, is the mean over all steps that are answered, transitions and unlabelled
ones too. The last rows have no person in them: there is no right answer, no label says so, and the
share is of all steps. `python -m export robustness` measures it.
{OF_NOVELTY if "novelty" in record["rows"][0] else ""}
{table(record["rows"])}

![steps right, as it comes and when told](checkpoint/robustness.png)

"""
