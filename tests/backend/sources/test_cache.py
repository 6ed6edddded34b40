"""Models of a bucket and of MLflow's registry: fetched whole, checked, and no more than changed."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from larnn_service.backend.model_repository import load_model
from larnn_service.backend.sources.cache import Cache
from larnn_service.backend.sources.factory import open_cache
from larnn_service.errors import StartupError
from tests import carried, tools, toy
from tests.backend.sources.conftest import Folder
from tests.backend.sources.disk import Disk, leave, versions

LARGEST = 2**20


def test_a_bucket_fills_a_folder(there: Folder, tmp_path: Path) -> None:
    first, second = (toy.publish(tmp_path / "made", version=version) for version in (1, 2))
    (first / "README.md").write_text("nobody asks for it")
    there.put(first, "toy/1")
    cache = open_cache(there.address, tmp_path / "cache", LARGEST)
    assert not cache.refresh(first=True) and versions(cache) == ["toy/1"]
    got = {path.name: path.read_bytes() for path in (cache.root / "toy/1").glob("[!.]*")}
    assert got == {name: (first / name).read_bytes() for name in ("model.json", "model.onnx")}
    there.put(second, "toy/2")
    assert not cache.refresh() and versions(cache) == ["toy/1", "toy/2"]
    for name in ("model.json", "model.onnx"):
        there.remove(f"toy/1/{name}")
    assert not cache.refresh() and versions(cache) == ["toy/1", "toy/2"]
    again = open_cache(there.address, tmp_path / "cache", LARGEST)
    assert not again.refresh(first=True) and versions(again) == ["toy/1", "toy/2"]
    leave(cache, again)
    again = open_cache(there.address, tmp_path / "cache", LARGEST)
    assert not again.refresh(first=True) and versions(again) == ["toy/2"]


def test_one_version_alone_has_its_place_by_its_manifest(there: Folder, tmp_path: Path) -> None:
    there.put(toy.publish(tmp_path / "made", version=5), "somewhere")
    cache = open_cache(f"{there.address}/somewhere", tmp_path / "cache", LARGEST)
    assert not cache.refresh() and versions(cache) == ["toy/5"]


def test_every_file_that_a_manifest_names_comes(there: Folder, tmp_path: Path) -> None:
    """Arrays of state and of context, too: what has come is loaded."""
    folder = carried.publish(tmp_path / "made")
    there.put(folder, "carried/1")
    cache = open_cache(there.address, tmp_path / "cache", LARGEST)
    assert not cache.refresh()
    arrays = sorted(path.name for path in (cache.root / "carried/1").glob("*.npy"))
    assert arrays == sorted(path.name for path in folder.glob("*.npy")) and len(arrays) == 2
    assert load_model(cache.root / "carried/1", "cpu").manifest.name == "carried"


def test_a_version_that_changed_is_swapped_whole(there: Folder, tmp_path: Path) -> None:
    folder = toy.publish(tmp_path / "made")
    there.put(folder, "toy/1")
    cache = open_cache(there.address, tmp_path / "cache", LARGEST)
    cache.refresh()
    manifest = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps(manifest | {"description": "another"}))
    there.put(folder, "toy/1")
    assert not cache.refresh()
    assert json.loads((cache.root / "toy/1/model.json").read_text())["description"] == "another"


@pytest.mark.parametrize("damage", ["bytes", "missing", "manifest", "size"])
def test_what_is_not_as_its_manifest_says_never_appears(
    there: Folder, tmp_path: Path, damage: str
) -> None:
    good, bad = (toy.publish(tmp_path / "made", version=version) for version in (1, 2))
    if damage == "bytes":
        (bad / "model.onnx").write_bytes(b"half of it")
    elif damage == "missing":
        (bad / "model.onnx").unlink()
    elif damage == "manifest":
        (bad / "model.json").write_text("{}")
    there.put(good, "toy/1")
    there.put(bad, "toy/2")
    cache = open_cache(there.address, tmp_path / "cache", 100 if damage == "size" else LARGEST)
    what = {"bytes": "SHA-256", "missing": "not there", "manifest": "name", "size": "MAX_MODEL"}
    refused = cache.refresh(first=True)
    assert what[damage] in refused["toy", 2]
    assert versions(cache) == ([] if damage == "size" else ["toy/1"])
    assert not [path for path in cache.root.glob(".*") if path.is_dir()], "nothing is left of it"


@pytest.mark.parametrize("hidden", [".fetch-1a2b", ".snapshot"])
@pytest.mark.parametrize("killed", ["while it was fetched", "before its rename", "between renames"])
def test_what_a_killed_process_left_counts_for_nothing(
    tmp_path: Path, killed: str, hidden: str
) -> None:
    """A kill lets no cleaning run: the temporary folder stays, with the version in it."""
    source = Disk(tmp_path / "source")
    toy.publish(source.root)
    cache = Cache(tmp_path / "cache", source, "disk", LARGEST)
    cache.refresh()
    left, place = cache.root / hidden, cache.root / "toy/1"
    left.mkdir()
    if killed == "between renames":
        shutil.copytree(place, left / "version")
        place.rename(left / "before")
    else:
        place.rename(left / "version")
        if killed == "while it was fetched":
            (left / "version/model.onnx").unlink()
    assert not Cache(cache.root, source, "disk", LARGEST).refresh(first=True)
    assert versions(cache) == ["toy/1"] and load_model(place, "cpu").manifest.name == "toy"
    assert left.exists() is (hidden == ".snapshot"), "folders of others stay"


@pytest.mark.parametrize("address", ["s3://models/nothing", "s3://no-such-bucket/x"])
def test_where_there_is_none_it_says_so(there: Folder, tmp_path: Path, address: str) -> None:
    with pytest.raises(StartupError, match=f"LARNN_MODELS={address}"):
        open_cache(address, tmp_path, LARGEST).refresh()


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    mlflow = tools.package("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow.set_tracking_uri((tmp_path / "mlruns").as_uri())
    yield mlflow
    mlflow.set_tracking_uri(None)


def register(mlflow: Any, folder: Path) -> str:
    """A version of the folder's files in MLflow's registry."""
    client = mlflow.MlflowClient()
    run = client.create_run(client.create_experiment(f"e{folder.name}"))
    client.log_artifacts(run.info.run_id, str(folder), "model")
    source = f"{run.info.artifact_uri}/model"
    return str(client.create_model_version("activity", source, run.info.run_id).version)


def test_an_alias_of_mlflow_leads_to_its_version(registry: Any, tmp_path: Path) -> None:
    client = registry.MlflowClient()
    client.create_registered_model("activity")
    numbers = [register(registry, toy.publish(tmp_path / "m", version=n)) for n in (7, 8)]
    client.set_registered_model_alias("activity", "live", numbers[0])
    cache = open_cache("models:/activity@live", tmp_path / "cache", LARGEST)
    assert not cache.refresh(first=True) and versions(cache) == ["toy/7"]
    client.set_registered_model_alias("activity", "live", numbers[1])
    assert not cache.refresh() and versions(cache) == ["toy/7", "toy/8"]
    by_number = open_cache(f"models:/activity/{numbers[0]}", tmp_path / "cache", LARGEST)
    assert not by_number.refresh() and versions(by_number) == ["toy/7"]


def test_an_address_that_is_none_of_mlflow_is_refused(tmp_path: Path) -> None:
    tools.package("mlflow")
    with pytest.raises(StartupError, match="say models:/name@alias"):
        open_cache("models:/activity", tmp_path, LARGEST)


def test_packages_that_are_missing_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.fsspec", None)
    with pytest.raises(StartupError, match=r"pip install 'larnn\[s3\]'"):
        open_cache("s3://models/larnn", tmp_path, LARGEST)
