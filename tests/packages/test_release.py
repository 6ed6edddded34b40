"""What a release hands out beside the wheels of Python alone: native wheels, notes, and, by
`make release`, all of it with its checksums; of one version."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import httpx
import pytest

from tests import live, tools
from tests.packages.wheels import ENVIRONMENT, VERSION, install
from wheels import native, notes, version

LOADER = """
#include <dlfcn.h>
#include <cstdio>
int main(int, char** arguments) {
  void* library = dlopen(arguments[1], RTLD_NOW);
  if (library == nullptr) return std::puts(dlerror()), 1;
  auto has = reinterpret_cast<int (*)(const char*)>(dlsym(library, "larnn_has_domain"));
  return std::printf("%d %d", has("larnn"), has("nobody")), 0;
}
"""


def test_the_version_is_the_same_everywhere() -> None:
    assert version.current() == VERSION


def test_it_is_written_everywhere_and_another_one_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file, _ in version.PLACES:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(live.ROOT / file, tmp_path / file)
    monkeypatch.setattr(version, "ROOT", tmp_path)
    version.write("7.8.9")
    assert version.current() == "7.8.9"
    chart = tmp_path / "deploy" / "helm" / "Chart.yaml"
    chart.write_text(chart.read_text().replace("appVersion: 7.8.9", "appVersion: 7.8.8"))
    with pytest.raises(SystemExit, match=r"deploy/helm/Chart.yaml: 7.8.8, 7.8.9, and elsewhere"):
        version.current()
    chart.write_text("version of nothing")
    with pytest.raises(SystemExit, match=r"deploy/helm/Chart.yaml: no version"):
        version.current()
    with pytest.raises(SystemExit, match="'1.0' is no version such as 0.2.0"):
        version.write("1.0")


CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n- next\n\n## [0.1.0] - 2026-01-01\n\n- first\n"


def test_notes_are_those_of_the_version_or_of_what_comes() -> None:
    assert notes.notes(CHANGELOG, "0.1.0") == "# LARNN 0.1.0\n\n- first\n"
    assert notes.notes(CHANGELOG, "0.2.0") == "# LARNN 0.2.0\n\n- next\n"
    with pytest.raises(SystemExit, match="tells nothing of 0.2.0"):
        notes.notes("# Changelog\n\n## [Unreleased]\n", "0.2.0")


def native_wheel(processor: str, folder: Path) -> Path:
    """Skips, or fails, where this machine cannot build it."""
    tools.package("auditwheel")
    if not native.HEADERS.is_dir():
        tools.missing("onnxruntime's headers are not here: make kernels", "KERNELS")
    if not native.can_build(processor):
        tools.missing(f"nothing here compiles for {processor}", "KERNELS")
    return native.build(processor, folder)


def check_native(wheel: Path, processor: str) -> None:
    tag = rf"larnn_kernels-{re.escape(VERSION)}-py3-none-manylinux_2_\d+_{processor}\.whl"
    assert re.fullmatch(tag, wheel.name)
    files = zipfile.ZipFile(wheel).namelist()
    assert "larnn_kernels/liblarnn_kernels.so" in files
    assert not [name for name in files if ".libs/" in name]  # nothing else goes with it


def test_the_native_wheel_is_installed_and_used(built: dict[str, Path], tmp_path: Path) -> None:
    wheel = native_wheel(platform.machine(), tmp_path)
    check_native(wheel, platform.machine())
    programs = install(built | {"larnn_kernels": wheel}, tmp_path / "venv")
    ask = [str(programs / "python"), "-c", "import larnn_kernels; print(larnn_kernels.LIBRARY)"]
    told = subprocess.run(ask, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    assert Path(told.stdout).is_relative_to(tmp_path)
    command = [str(programs / "larnn"), "serve", "--port", "0"]
    with live.started(command, ENVIRONMENT, tmp_path) as service:
        models = httpx.get(f"{service.url}/models", timeout=60).json()["models"]
    assert {m["operator"] for m in models if m["name"].startswith("larnn")} == {"native"}


@pytest.mark.skipif(platform.machine() == "aarch64", reason="it is this machine's own")
def test_the_wheel_for_aarch64_is_loaded_by_an_emulator(tmp_path: Path) -> None:
    if shutil.which("qemu-aarch64-static") is None:
        pytest.skip("an emulator of aarch64: qemu-user-static")
    wheel = native_wheel("aarch64", tmp_path)
    check_native(wheel, "aarch64")
    zipfile.ZipFile(wheel).extractall(tmp_path)
    loader, source = tmp_path / "loader", tmp_path / "loader.cpp"
    source.write_text(LOADER)
    compile_it = [native.COMPILERS["aarch64"], "-std=c++17", "-o", str(loader), str(source)]
    subprocess.run(compile_it, check=True)
    run = ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu", str(loader)]
    library = tmp_path / "larnn_kernels" / "liblarnn_kernels.so"
    done = subprocess.run([*run, str(library)], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1 0"), done.stdout + done.stderr


@pytest.mark.deploy
@pytest.mark.timeout(1800)
def test_one_command_makes_all_of_it() -> None:
    """In dist/, where whoever runs the tests finds it afterwards."""
    for name in ("npm", "c++", "cmake"):
        if shutil.which(name) is None:
            tools.missing(f"{name} is not installed")
    make = ["make", "release", f"DEV={sys.executable}", "-o", ".venv-dev/ready"]
    done = subprocess.run(make, cwd=live.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    dist = live.ROOT / "dist"
    files = {path.name: path for path in dist.iterdir()}
    assert {f"larnn-{name}-{VERSION}.tgz" for name in ("client", "edge")} < files.keys()
    pure = {f"{name}-{VERSION}-py3-none-any.whl" for name in ("larnn", "larnn_client")}
    assert {*pure, f"larnn_models-{VERSION}-py3-none-any.whl", "larnn.cdx.json"} < files.keys()
    assert any(name.endswith(f"{platform.machine()}.whl") for name in files)
    bill = json.loads(files["larnn.cdx.json"].read_text())
    assert {"larnn", "onnxruntime", "uvicorn"} < {part["name"] for part in bill["components"]}
    assert files["NOTES.md"].read_text().startswith(f"# LARNN {VERSION}\n")
    with tarfile.open(files[f"larnn-client-{VERSION}.tgz"]) as package:
        assert {"package/src/index.js", "package/types/index.d.ts"} < set(package.getnames())
    has_engine = subprocess.run(["docker", "info"], capture_output=True).returncode == 0
    assert (f"larnn-service-{VERSION}.tar.gz" in files) is has_engine
    lines = [line.split() for line in files["SHA256SUMS"].read_text().splitlines()]
    sums = {name: digest for digest, name in lines}
    assert sums.keys() == files.keys() - {"SHA256SUMS"}
    for name, digest in sums.items():
        with files[name].open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == digest
