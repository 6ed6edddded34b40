"""Print THIRD_PARTY.md: python constraints/third_party.py > THIRD_PARTY.md

Every package that an installation may bring, at the version that is pinned here, with the licence
that its own metadata names. What this environment has not installed is asked of the package index.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
FILE = ROOT / "THIRD_PARTY.md"
GPU = "gpu.txt"
"""These pins are installed beside no others: their requirements are those that it lists."""
EXTRAS = (
    "",
    "serve",
    "serve-gpu",
    "tables",
    "train",
    "otel",
    "grpc",
    "phone",
    "s3",
    "hf",
    "mlflow",
)
PROPRIETARY = "LicenseRef-NVIDIA-Proprietary"
SPDX = {
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "BSD": "BSD-3-Clause",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "NVIDIA Proprietary Software": PROPRIETARY,
    "Other/Proprietary License": PROPRIETARY,
    "Python Software Foundation License": "PSF-2.0",
}
"""What metadata from before SPDX expressions says."""
HEAD = """\
# Third-party packages

What an installation may bring, at the versions of `constraints/`, with the licence that each
package's metadata names. What comes with `larnn` comes with every extra too. None of it is in the
wheels of this project; what is in them beside its own code is in [NOTICE](NOTICE). Made by
`make third-party`.

| package | version | licence | comes with |
|---|---|---|---|
"""
Licence = Callable[[str, str], str]
"""Of a package and its version."""


def document(licence: Licence) -> str:
    """The page."""
    pins, rows = read_pins(), []
    for name, extras in sorted(by_package(pins).items()):
        rows.append(f"| {name} | {pins[name]} | {licence(name, pins[name])} | {extras} |\n")
    return HEAD + "".join(rows)


def read_pins(*files: str) -> dict[str, str]:
    """Versions by name, of these files or all."""
    paths = [ROOT / "constraints" / file for file in files] or (ROOT / "constraints").glob("*.txt")
    text = "".join(path.read_text() for path in paths)
    found = re.findall(r"^([\w.-]+)==(\S+)$", text, re.M)
    return {str(canonicalize_name(name)): version for name, version in found}


def by_package(pins: Iterable[str]) -> dict[str, str]:
    """The extras that bring each package; `larnn` is an installation without extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    client = tomllib.loads((ROOT / "client" / "pyproject.toml").read_text())["project"]
    parts = project["optional-dependencies"] | {"": project["dependencies"]}
    parts[""] = parts[""] + client["dependencies"]
    brought = {extra: set(_closure(needs, parts, set())) for extra, needs in parts.items()}
    brought["serve-gpu"] |= read_pins(GPU).keys() | (brought["serve"] - {"onnxruntime"})
    found: dict[str, list[str]] = {}
    for extra in EXTRAS:
        for name in brought[extra] & set(pins) - (brought[""] if extra else set()):
            found.setdefault(name, []).append(f"`larnn[{extra}]`" if extra else "`larnn`")
    return {name: ", ".join(extras) for name, extras in found.items()}


def _closure(needs: list[str], parts: dict[str, list[str]], seen: set[str]) -> Iterator[str]:
    for need in needs:
        if need in seen:
            continue
        seen.add(need)
        requirement = Requirement(need)
        name = str(canonicalize_name(requirement.name))
        extras = sorted(requirement.extras) or [""]
        if requirement.marker and not any(
            requirement.marker.evaluate({"extra": e}) for e in extras
        ):
            continue
        if name == "larnn":
            for extra in requirement.extras:
                yield from _closure(parts[extra], parts, seen)
            continue
        yield name
        try:
            further = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        yield from _closure(_applying(further, extras), parts, seen)


def _applying(needs: list[str], extras: list[str]) -> list[str]:
    """Without those of extras that nobody asked for, and of other machines."""
    read = [Requirement(need) for need in needs]
    kept = [
        need
        for need in read
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras)
    ]
    for need in kept:
        need.marker = None
    return [str(need) for need in kept]


def installed(name: str, version: str) -> str:
    """The licence that the installed package names. Raises PackageNotFoundError."""
    return named(distribution(name).metadata.json)


def asked(name: str, version: str) -> str:
    """The licence, of the installed package or of the index."""
    try:
        return installed(name, version)
    except PackageNotFoundError:
        pip = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "-q"]
        report = [*pip, "--no-deps", "--report", "-", f"{name}=={version}"]
        done = subprocess.run(report, capture_output=True, text=True, check=True)
        return named(json.loads(done.stdout)["install"][0]["metadata"])


def named(metadata: Mapping[str, Any]) -> str:
    """An SPDX expression where it can be told, else what the metadata says."""
    if expression := metadata.get("license_expression"):
        return str(expression)
    classifiers = metadata.get("classifier", [])
    told = [c.rpartition(" :: ")[2] for c in classifiers if c.startswith("License :: ")]
    text = metadata.get("license", "").strip().splitlines()
    for licence in [*text[:1], *told]:
        if licence in SPDX or licence in SPDX.values():
            return str(SPDX.get(licence, licence))
    return " and ".join(told) or "".join(text[:1]) or "unknown"


if __name__ == "__main__":
    print(document(asked), end="")
