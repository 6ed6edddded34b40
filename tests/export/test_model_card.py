"""Model cards: what they say of committed models is what is written of them now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from larnn_export.families import FAMILIES, NetworkConfig, configure
from larnn_export.manifests import read_manifest
from larnn_export.model_card import card
from larnn_export.networks import RecurrentClassifier
from larnn_export.placing import CHECKPOINT_FOLDER
from larnn_export.stream_card import streams_section
from larnn_export.tasks.publish import text_card
from tests import live, networks

MODELS = live.ROOT / "models"
VERSIONS = sorted(path.parent for path in MODELS.glob("*/*/model.json"))


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.parent.name)
def test_a_committed_card_is_what_is_written_now(version: Path) -> None:
    is_run = (version / CHECKPOINT_FOLDER).is_dir()
    written = card(version, MODELS) if is_run else text_card(read_manifest(version))
    assert (version / "README.md").read_text() == written, "python -m export card"


def test_a_model_of_streams_says_what_it_began_with_and_what_its_people_chose() -> None:
    text = " ".join(card(MODELS / "larnn-har-raw" / "1", MODELS).split())
    assert "6 epochs" in text
    assert "took part in the recipe" in text and "which chose nothing" not in text
    assert "Transition-Aware" in text


def test_only_a_larnn_is_said_to_answer_the_diagnosis_of_one() -> None:
    for version in VERSIONS:
        if (version / CHECKPOINT_FOLDER).is_dir():
            text = " ".join(card(version, MODELS).split())
            assert "took part in the recipe, which was made for the LARNN" in text
            assert ("answer a diagnosis" in text) is version.parent.name.startswith("larnn")


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.parent.name)
def test_a_card_and_a_manifest_tell_the_terms_of_the_data(version: Path) -> None:
    terms = read_manifest(version).data_terms
    assert terms in " ".join((version / "README.md").read_text().split())
    har = version.parent.name.split("-")[-1] != "imdb"
    assert all(said in terms for said in ("Any commercial use", "CC BY 4.0", "not decided")) is har
    assert ("names no licence" in terms) is not har


def test_a_card_names_the_version_that_training_began_with(tmp_path: Path) -> None:
    streams = MODELS / "larnn-har" / "1"
    kept = json.loads((streams / CHECKPOINT_FOLDER / "checkpoint.json").read_text())
    began = tmp_path / "elder" / "3" / CHECKPOINT_FOLDER / "checkpoint.json"
    assert "began with the weights of the run whose" in card(streams, tmp_path)
    began.parent.mkdir(parents=True)
    began.write_text(json.dumps({"tensors_sha256": kept["started_from"]}))
    assert "began with the weights of elder, version 3." in card(streams, tmp_path)


@pytest.mark.parametrize(
    ("name", "field"),
    [(name, field) for name, family in FAMILIES.items() for field in sorted(family.own_fields)],
)
def test_another_value_of_a_familys_own_field_makes_another_network(name: str, field: str) -> None:
    config = configure({**networks.SMALL, "family": name})
    told = type(config).model_fields[field].annotation
    other = {**config.model_dump(), field: another(getattr(config, field), told)}
    assert differ(made(config), made(configure(other)))


def another(value: Any, told: Any) -> Any:
    """Another value of a field, as its annotation tells: the next word, or twice the number."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return next(word for word in get_args(told) if word != value)
    return 2 * value or 50


def made(config: NetworkConfig) -> list[Tensor]:
    """Weights of one seed, and what they make of a signal."""
    torch.manual_seed(0)
    network = RecurrentClassifier(config).eval().requires_grad_(False)
    logits, state = network(torch.from_numpy(networks.signal(1, 6)))
    return [*network.state_dict().values(), logits, *state]


def differ(mine: list[Tensor], other: list[Tensor]) -> bool:
    return len(mine) != len(other) or not all(map(torch.equal, mine, other))


def test_a_temperature_is_told_where_one_was_fitted() -> None:
    streams = read_manifest(MODELS / "larnn-har-raw" / "1").metrics["streams"]
    assert f"(temperature {streams['temperature']:.2f}, of people" in streams_section(streams)
    error = {**streams["calibration_error"], "with_temperature": None}
    unfitted = {**streams, "temperature": None, "calibration_error": error}
    told = streams_section(unfitted)
    assert f"| expected calibration error | {error['as_trained']:.3f} |" in told
    assert "temperature" not in told
