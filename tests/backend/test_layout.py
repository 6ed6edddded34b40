"""Folders that are one version by themselves, or have them by number, and names of their own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from larnn_service.backend.model_repository import Repository
from larnn_service.engine.models.registry import at_start
from larnn_service.errors import StartupError
from tests import toy


@pytest.fixture
def flat(tmp_path: Path) -> Path:
    """A version as KServe mounts it."""
    return Path(shutil.move(toy.publish(tmp_path / "made", version=3), tmp_path / "mnt"))


def served(root: Path, served_as: str = "") -> list[tuple[str, int]]:
    repository = Repository(root, "cpu", served_as=served_as)
    models = at_start(repository, "", keep=2)
    assert models.default in models
    for name, version in models.loaded():
        assert repository.manifest(name, version).name == name
    return sorted(models.loaded())


def test_a_folder_may_be_one_version(flat: Path) -> None:
    assert served(flat) == [("toy", 3)]
    assert served(flat, "activity") == [("activity", 3)]
    assert Repository(flat).newest("toy") == flat


def test_versions_may_stand_without_their_name(tmp_path: Path) -> None:
    for version in (2, 10):
        toy.publish(tmp_path, version=version)
    assert served(tmp_path / "toy") == [("toy", 2), ("toy", 10)]
    assert served(tmp_path / "toy", "activity") == [("activity", 2), ("activity", 10)]


def test_the_only_model_may_have_another_name(tmp_path: Path) -> None:
    toy.publish(tmp_path)
    assert served(tmp_path, "activity") == [("activity", 1)]
    toy.publish(tmp_path, "other")
    with pytest.raises(StartupError, match="LARNN_SERVED_AS=activity: .* other, toy"):
        served(tmp_path, "activity")


def test_a_model_whose_name_is_a_number_is_one(tmp_path: Path) -> None:
    toy.publish(tmp_path, "7")
    assert served(tmp_path) == [("7", 1)]


def test_a_damaged_version_by_itself_says_what_is_wrong(flat: Path) -> None:
    (flat / "model.json").write_text("{}")
    with pytest.raises(StartupError, match=r"model\.json: name"):
        served(flat)
