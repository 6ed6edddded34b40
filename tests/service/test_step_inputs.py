"""What a step is: channels by name, a range of them, or a frame of samples; nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from larnn_service.contract import Contract
from larnn_service.inputs import MOST, Input
from tests import toy, wide

LEFT = {"name": "left", "unit": "g"}
RANGE = {"prefix": "ch", "count": 512, "unit": "uV"}
FRAME = {"samples": 160, "unit": "1", "sample_rate_hz": 16_000.0, "int16_scale": 2**-15}


@pytest.mark.parametrize(
    ("record", "width", "summary"),
    [
        ({"channels": [LEFT]}, 1, "left"),
        ({"range": RANGE}, 512, "ch0 … ch511"),
        ({"frame": FRAME}, 160, "160 samples at 16000 Hz"),
        ({"frame": {"samples": 80, "unit": "1"}}, 80, "80 samples"),
    ],
)
def test_it_travels_as_it_is_written(record: dict[str, Any], width: int, summary: str) -> None:
    step = Input.model_validate(record)
    assert step.model_dump(mode="json") == record
    assert (step.width, step.summary[0].name) == (width, summary)


@pytest.mark.parametrize(
    ("record", "says"),
    [
        ({}, "one of channels, range and frame, got none"),
        ({"channels": []}, "got none"),
        ({"channels": [LEFT], "range": RANGE}, "got channels, range"),
        ({"channels": [LEFT, LEFT]}, "channels: names must be unique"),
        ({"range": RANGE | {"count": 0}}, "range.count"),
        ({"range": RANGE | {"count": MOST + 1}}, "range.count"),
        ({"frame": FRAME | {"samples": MOST + 1}}, "frame.samples"),
        ({"frame": FRAME | {"int16_scale": 0}}, "frame.int16_scale"),
        ({"frame": FRAME | {"hop": 3}}, "frame.hop"),
    ],
)
def test_what_is_no_step_is_refused(record: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Input.model_validate(record)


def test_channels_alone_are_read_as_before() -> None:
    record = toy.CONTRACT.model_dump(mode="json")
    channels = record.pop("input")["channels"]
    assert Contract.model_validate(record | {"channels": channels}) == toy.CONTRACT
    labels = record.pop("outputs")[0]["labels"]
    assert Contract.model_validate(record | {"channels": channels, "labels": labels}) == (
        toy.CONTRACT
    )


def test_the_rates_of_steps_and_samples_agree() -> None:
    record = wide.contract(wide.FRAME).model_dump(mode="json")
    with pytest.raises(ValidationError, match="50 steps of 160 samples a second are not 16000"):
        Contract.model_validate(record | {"sample_rate_hz": 50})
    assert Contract.model_validate(record | {"sample_rate_hz": None}).sample_rate_hz is None


def test_tokens_come_in_one_channel() -> None:
    vocabulary = {"size": 7, "file": "tokens.model", "sha256": "0" * 64}
    record = toy.CONTRACT.model_dump(mode="json") | {"vocabulary": vocabulary}
    with pytest.raises(ValidationError, match="tokens come in one channel that has a name"):
        Contract.model_validate(record)
