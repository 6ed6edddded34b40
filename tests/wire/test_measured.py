"""Steps that were sent in another unit: converted, or refused with their place."""

from __future__ import annotations

import numpy as np
import pytest

from larnn_service.contract import Channel, GraphFile, Input, Manifest
from larnn_service.errors import BadMessage, BadValue, Conflict
from larnn_service.inputs import Frame
from larnn_service.interfaces import Model
from larnn_service.wire.measured import Said, check_kept, conversion_of, converted, said_in
from tests import toy
from tests.engine.bench import Sums


def model(step: Input, rate: float | None = 50) -> Model:
    """The toy with another input."""
    contract = toy.CONTRACT.model_copy(update={"input": step, "sample_rate_hz": rate})
    graph = GraphFile(file="model.onnx", sha256="0" * 64)
    manifest = Manifest(
        name="it", version=1, description="", contract=contract, graph=graph, network={}
    )
    return Model(manifest, Sums())


SMALL = model(Input(channels=(Channel(name="a", unit="mg"), Channel(name="b", unit="mg"))))
SOUND = model(Input(frame=Frame(samples=160, unit="Pa", sample_rate_hz=16_000)), 100)


def test_what_is_too_large_in_the_models_unit_has_its_place() -> None:
    wanted = conversion_of(SMALL, Said("g"))
    steps = np.array([[1, 2], [3, 1e36]], np.float32)
    with pytest.raises(BadValue, match=r"steps\[1\]\[1\]: every value is a finite number"):
        converted(steps, wanted, SMALL, "steps")
    np.testing.assert_array_equal(converted(steps[:1], wanted, SMALL, "steps"), [[1e3, 2e3]])
    assert converted(steps, None, SMALL, "steps") is steps


@pytest.mark.parametrize("rate", [16_000, 16_100.0])
def test_the_rate_of_frames_is_that_of_their_samples(rate: float) -> None:
    assert conversion_of(SOUND, Said(sample_rate_hz=rate)) is None
    with pytest.raises(BadMessage, match="takes 16000 samples a second, not 44100; put them onto"):
        conversion_of(SOUND, Said(sample_rate_hz=44_100))


def test_a_model_without_a_rate_says_so() -> None:
    with pytest.raises(BadMessage, match="it has no rate; leave it out"):
        conversion_of(model(SMALL.manifest.contract.input, None), Said(sample_rate_hz=1))


@pytest.mark.parametrize("rate", ["nan", "inf", "-50", "0"])
def test_odd_rates_are_other_ones(rate: str) -> None:
    with pytest.raises(BadMessage, match="not|sample_rate_hz is a number"):
        conversion_of(SMALL, said_in({"sample_rate_hz": rate}))
    with pytest.raises(BadMessage, match="sample_rate_hz is a number"):
        said_in({"sample_rate_hz": "fast"})


def test_who_says_nothing_goes_on_as_the_stream_began() -> None:
    kept = conversion_of(SMALL, Said("g", "a=b,b=a"))
    for said in (Said(), Said(sample_rate_hz=50), Said("b=g,a=g", "b=a,a=b")):
        check_kept(SMALL, said, kept)
    for said in (Said("g"), Said(axes="a=b,b=a"), Said("mg")):
        with pytest.raises(Conflict, match="was opened with units g, axes a=b,b=a"):
            check_kept(SMALL, said, kept)
    with pytest.raises(Conflict, match="was opened with units and axes of the model"):
        check_kept(SMALL, Said("g"), None)
