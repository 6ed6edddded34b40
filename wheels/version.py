"""The version, which is the same everywhere: python wheels/version.py [NEW]

Prints it. With NEW, such as 0.2.0, writes that into each of its places; then `make manifests`
renders what Kubernetes gets anew.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
NUMBER = r"(\d+\.\d+\.\d+)"
PLACES = (
    ("pyproject.toml", rf'^version = "{NUMBER}"'),
    ("pyproject.toml", rf'"larnn-(?:client|models)=={NUMBER}"'),
    ("client/pyproject.toml", rf'^version = "{NUMBER}"'),
    ("kernels/pyproject.toml", rf'^version = "{NUMBER}"'),
    ("wheels/models/pyproject.toml", rf'^version = "{NUMBER}"'),
    ("service/larnn_service/__init__.py", rf'^__version__ = "{NUMBER}"'),
    ("clients/ts/client/package.json", rf'"version": "{NUMBER}"'),
    ("clients/ts/edge/package.json", rf'"version": "{NUMBER}"'),
    ("clients/ts/edge/package.json", rf'"@larnn/client": "{NUMBER}"'),
    ("deploy/helm/Chart.yaml", rf"^(?:appV|v)ersion: {NUMBER}"),
    ("deploy/kserve/runtime.yaml", rf"image: larnn-service:{NUMBER}"),
    ("README.md", rf"dist/larnn-{NUMBER}-py3"),
    ("docs/packages.md", rf"dist/larnn-{NUMBER}-py3"),
    ("docs/kubernetes.md", rf"larnn-service:{NUMBER}"),
    ("docs/javascript.md", rf"/larnn-(?:client|edge)-{NUMBER}\.tgz"),
)
"""Files, and what stands there around it."""


def found() -> dict[str, set[str]]:
    """The versions by file. Raises SystemExit where a place has none."""
    versions: dict[str, set[str]] = {}
    for file, pattern in PLACES:
        here = re.findall(pattern, (ROOT / file).read_text(), re.M)
        if not here:
            sys.exit(f"{file}: no version where {pattern} should be")
        versions.setdefault(file, set()).update(here)
    return versions


def current() -> str:
    """The version of the package larnn. Raises SystemExit where another place has another."""
    versions = found()
    [version] = versions["service/larnn_service/__init__.py"]
    for file, each in versions.items():
        if each != {version}:
            sys.exit(f"{file}: {', '.join(sorted(each))}, and elsewhere {version}")
    return version


def write(version: str) -> None:
    """Put it into every place. Raises SystemExit where it is no version."""
    if not re.fullmatch(NUMBER, version):
        sys.exit(f"{version!r} is no version such as 0.2.0")
    for file, pattern in PLACES:
        text = (ROOT / file).read_text()
        text = re.sub(pattern, lambda at: at[0].replace(at[1], version), text, flags=re.M)
        (ROOT / file).write_text(text)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        write(sys.argv[1])
    sys.stdout.write(f"{current()}\n")
