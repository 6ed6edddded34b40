"""dataset.toml of a version's captured files: what `larnn train --data` wants to know of them."""

from __future__ import annotations

import json
from collections.abc import Iterator

from larnn_service.contract import Manifest
from larnn_service.conversion.names import Names
from larnn_service.inputs import Input

FILE = "dataset.toml"
OWN = ("stream", "owner", "recording", "position", "answered", "label")
"""Columns that a captured table has beside the channels and the answer's."""
SECONDS = 2.56
"""Of a window, unless somebody says otherwise."""


def column(channel: str, others: frozenset[str]) -> str:
    """What a channel's column is called: as the channel, unless another column is."""
    return f"channel.{channel}" if channel in others else channel


def answered(manifest: Manifest) -> frozenset[str]:
    """The columns that are no channel's."""
    answer = manifest.contract.outputs[0]
    if answer.task == "raw":
        names: tuple[str, ...] = ("output",)
    elif answer.task == "values":
        names = answer.names
    else:
        names = tuple(f"p_{label}" for label in answer.labels)
    beside = (
        f"{output.name}.{name}"
        for output in manifest.contract.outputs
        if output.unsure_above is not None
        for name in output.names
    )
    return frozenset((*OWN, *names, *beside))


def described(manifest: Manifest) -> str:
    """The text of the file."""
    contract = manifest.contract
    rate = contract.sample_rate_hz
    has_label = contract.outputs[0].task == "classes"
    title = f"captured of {manifest.name} {manifest.version}"
    label = (
        "what the model answered: correct it, and measure against what you corrected"
        if has_label
        else "the model names none: add this column"
    )
    labels = ", ".join(_text(label) for label in contract.labels)
    lines = [
        f"title = {_text(title)}",
        'about = "What streams sent to the service, and what it answered."',
        f"sample_rate_hz = {float(rate or 1)}" + ("" if rate else "  # the model has none"),
        'files = ["*.parquet"]',
        f'label = "label"  # {label}',
        *(
            [f"# labels = [{labels}]  # as the model has them; each then needs a window"]
            * has_label
        ),
        'subject = "stream"  # or a column of your own that tells people apart',
        'recording = ["recording"]  # a gap begins another',
        "test_fraction = 0.25  # or test_subjects: streams that nothing is learned from",
        "",
        "[window]",
        f"steps = {max(round((rate or 1) * SECONDS), 2)}",
        *_channels(manifest),
    ]
    return "\n".join(lines) + "\n"


def _channels(manifest: Manifest) -> Iterator[str]:
    others = answered(manifest)
    step: Input = manifest.contract.input
    names = Names(step, manifest.name)
    for index, name in enumerate(names.channels):
        yield ""
        yield "[[channels]]"
        yield f"name = {_text(name)}"
        yield f"unit = {_text(names.unit_text(index))}"
        if (called := column(name, others)) != name:
            yield f"column = {_text(called)}"


def _text(text: str) -> str:
    """As TOML has it, which is as JSON has it but for one character."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
