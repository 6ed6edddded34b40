"""Which files of a version are read: regular ones of its own folder, of bounded size."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest

from larnn_service.backend.model_files import VersionFolder
from larnn_service.backend.model_repository import load_model
from larnn_service.errors import Passing, StartupError
from tests import toy

DATA = b"twelve bytes"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "file").write_bytes(DATA)
    (tmp_path / "1").mkdir()
    return tmp_path / "1"


def refusal(folder: Path, name: str, max_bytes: int = 100) -> str:
    with pytest.raises(StartupError) as error:
        VersionFolder(folder, max_bytes).read(name)
    assert str(error.value).startswith(f"{folder / name}: ")
    return str(error.value)


def test_a_pipe_and_a_folder_are_no_files(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "folder").mkdir()
    assert "no regular file" in refusal(folder, "pipe")
    assert "cannot be read (Is a directory)" in refusal(folder, "folder")
    assert "cannot be read (Is a directory)" in refusal(folder, ".")
    assert "cannot be read (No such file" in refusal(folder, "nothing")


def test_a_pipe_with_a_writer_is_none_either(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    held = os.open(folder / "pipe", os.O_RDWR)
    os.write(held, DATA)
    assert "no regular file" in refusal(folder, "pipe")
    os.close(held)


@pytest.mark.parametrize("target", ["../elsewhere/file", "/etc/hostname", "/dev/zero", ".."])
def test_no_link_leads_out_of_the_folder(folder: Path, target: str) -> None:
    (folder / "link").symlink_to(target)
    assert "leads out of its folder" in refusal(folder, "link")


@pytest.mark.parametrize("name", ["..", "../elsewhere/file", "/etc/hostname"])
def test_no_name_does(folder: Path, name: str) -> None:
    assert "leads out of its folder" in refusal(folder, name)


def test_links_in_a_circle_are_told(folder: Path) -> None:
    (folder / "link").symlink_to("other")
    (folder / "other").symlink_to("link")
    assert "cannot be read" in refusal(folder, "link")


def test_an_error_of_the_disk_may_pass_and_a_file_that_is_not_there_does_not(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with pytest.raises(StartupError) as nothing:
        VersionFolder(folder, 100).read("nothing")
    assert not isinstance(nothing.value, Passing)
    monkeypatch.setattr(os, "open", fail)
    with pytest.raises(Passing, match="Input/output error"):
        VersionFolder(folder, 100).read("file")


def test_links_within_the_folder_and_to_it_are_followed(folder: Path, tmp_path: Path) -> None:
    """As Kubernetes mounts files."""
    (folder / "..data").mkdir()
    (folder / "..data" / "file").write_bytes(DATA)
    (folder / "file").symlink_to("..data/file")
    (tmp_path / "2").symlink_to("1")
    assert VersionFolder(folder, 100).read("file") == DATA
    assert VersionFolder(tmp_path / "2", 100).read("file") == DATA


def test_the_files_of_a_version_are_bounded_together(folder: Path) -> None:
    (folder / "file").write_bytes(DATA)
    files = VersionFolder(folder, 2 * len(DATA))
    assert [files.read("file") for _ in range(2)] == [DATA] * 2
    with pytest.raises(StartupError, match="larger than 24 bytes together; LARNN_MAX_MODEL"):
        files.read("file")


def test_a_file_larger_than_memory_is_not_read(folder: Path) -> None:
    with (folder / "file").open("wb") as sparse:
        sparse.truncate(2**43)
    assert "LARNN_MAX_MODEL" in refusal(folder, "file", 2**31)


@pytest.mark.parametrize("file", ["model.json", "model.onnx", "attention.onnx", "weights"])
def test_no_file_of_a_version_may_be_a_pipe(tmp_path: Path, file: str) -> None:
    folder = toy.publish(tmp_path)
    manifest = json.loads((folder / "model.json").read_text())
    digest = hashlib.sha256(b"").hexdigest()
    if file == "attention.onnx":
        manifest["attention"] = {"file": file, "sha256": digest}
    elif file == "weights":
        manifest["graph"]["data"] = [{"file": file, "sha256": digest}]
    (folder / "model.json").write_text(json.dumps(manifest))
    (folder / file).unlink(missing_ok=True)
    os.mkfifo(folder / file)
    with pytest.raises(StartupError, match=f"{file}: .*no regular file"):
        load_model(folder, "cpu")
