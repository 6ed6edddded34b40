"""Silero's voice detector and DTLN's two networks, as released, answer as onnxruntime does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.benchmark import measured
from tests.importing.proof import RELEASED, SILERO, measure
from tests.importing.released import package

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("packages")


@pytest.mark.parametrize("name", RELEASED)
def test_it_is_served_as_onnxruntime_answers(
    name: str, packages: Path, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    found = measure(name, packages, tmp_path, seconds=6, streams=16)
    record_property("worst", found.difference)
    assert found.difference <= RELEASED[name].bound


def test_it_is_measured_beside_a_loop(packages: Path, tmp_path: Path) -> None:
    file = str(package(*SILERO, packages) / RELEASED["silero"].file)
    bounded = ["--rounds", "1", "--seconds", "0.2", "--streams", "1", "--streams", "3"]
    record = measured(tmp_path, "imported", file, *bounded)
    assert [row["streams"] for row in record["rows"]] == [1, 3]
    for row in record["rows"]:
        assert row["p50_ms"] > 0 and row["served"]["served_of_it"] == 1
        assert row["onnxruntime"]["served_of_it"] > 0
