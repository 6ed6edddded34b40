"""docs/new-family.md: one file and one registration, from training to an answer of the service."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from larnn_export import families
from larnn_export.data.uci_har import load_split
from tests import live, made_up_people
from tests.commands.conftest import SHORT, export, refusal
from tests.docs import page

FILE, LINE, COMMANDS = (block.text for block in page.blocks(page.read("new-family.md")))
NAME = "larnn_export.families.mgu"
SMALL = ["-n", "hidden_size=8", "-n", "layers=1"]


@pytest.fixture
def registered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The page's file in a folder of its own, and its line; both forgotten at the end."""
    folder = tmp_path / "families"
    folder.mkdir()
    (folder / "mgu.py").write_text(FILE)
    assert f'register("{NAME}")' == LINE
    monkeypatch.syspath_prepend(folder)
    families.register("mgu")
    yield
    del families.FAMILIES["mgu"]
    del sys.modules["mgu"]


@pytest.mark.usefixtures("registered")
def test_it_is_trained_exported_verified_published_and_served(tmp_path: Path) -> None:
    data = made_up_people.write(tmp_path / "data")
    more: dict[str, list[str | Path]] = {
        "train": [*SMALL, *SHORT, "--data", data],
        "evaluate": ["--data", data],
        "publish": ["--models", tmp_path / "models"],
    }
    commands = [shlex.split(line) for line in COMMANDS.splitlines()]
    assert [words[3] for words in commands] == ["train", "evaluate", "onnx", "verify", "publish"]
    for _, _, _, name, *words in commands:
        here = [word.replace("runs/", f"{tmp_path}/runs/") for word in words]
        result = export(name, *here, *more.get(name, []))
        assert result.exit_code == 0, result.output
    folder = tmp_path / "models" / "mgu-har" / "1"
    manifest = json.loads((folder / "model.json").read_text())
    assert manifest["network"]["family"] == "mgu" and manifest["network"]["gate_bias"] == -1
    assert "| gate_bias | -1.0 |" in (folder / "README.md").read_text()
    test = load_split("test", data)
    with live.process(models=tmp_path / "models", model="mgu-har") as service:
        body = {"sequences": test.signals.tolist()}
        answer = httpx.post(f"{service.url}/classify", json=body, timeout=60).raise_for_status()
        labels = [prediction["label"] for prediction in answer.json()["predictions"]]
    names = np.array(manifest["contract"]["outputs"][0]["labels"])[test.labels]
    assert np.mean(np.array(labels) == names) == manifest["metrics"]["test"]["accuracy"]


@pytest.mark.usefixtures("registered")
def test_its_fields_are_its_own(tmp_path: Path) -> None:
    data = made_up_people.write(tmp_path / "data")
    command = ("train", tmp_path / "run", "--data", data, "--preset")
    assert "gate_bias" in refusal(*command, "mgu", "-n", "window_size=3")
    assert "gate_bias=" in refusal(*command, "lstm", "-n", "gate_bias=1")
    assert "valid number" in refusal(*command, "mgu", "-n", "gate_bias=much")


@pytest.mark.usefixtures("registered")
def test_a_name_is_registered_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "another_mgu.py").write_text(FILE)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ValueError, match="another_mgu: a family 'mgu' is registered already"):
        families.register("another_mgu")
    with pytest.raises(ValueError, match="family 'none' is not one of larnn, "):
        families.configure({"family": "none"})
