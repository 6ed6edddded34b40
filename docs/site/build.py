"""The documentation as a site: python docs/site/build.py

Sphinx takes the pages as they are. They are put together with what they link to, in the places
where they have it, so that every link between them is checked. Then come the references, which are
made of the code: HTTP of the service's OpenAPI document, Python and JavaScript of the docstrings.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "build" / "site"
SOURCE = SITE / "source"
PAGES = (
    *("*.md", "LICENSE", "NOTICE", "docs", "models/*/*/README.md", "models/**/*.png"),
    *("benchmarks/results", "examples/*.md", "examples/*.ipynb", "kernels/*.md"),
)
"""What is shown, and what it refers to."""
MERMAID = "mermaid@11.6.0"
"""Draws the diagrams; of npm, and no part of the repository."""
TYPEDOC = ("typedoc@0.28.20", "typedoc-plugin-markdown@4.14.1", "typescript@5.9.3")
"""Reads the docstrings of JavaScript."""
TYPED = {
    "allowJs": True,
    "target": "es2022",
    "module": "nodenext",
    "lib": ["es2023", "dom", "dom.iterable", "dom.asynciterable"],
    "noEmit": True,
    "skipLibCheck": True,
}
OPTIONS = (
    *("--readme", "none", "--hideGenerator", "--disableSources", "--excludeExternals"),
    *("--parametersFormat", "table", "--outputFileStrategy", "modules"),
    *("--plugin", "typedoc-plugin-markdown", "--logLevel", "Error"),
)


def stage() -> None:
    """The pages in their places."""
    shutil.rmtree(SITE, ignore_errors=True)
    for pattern in PAGES:
        for path in ROOT.glob(pattern):
            place = SOURCE / path.relative_to(ROOT)
            place.parent.mkdir(parents=True, exist_ok=True)
            if path.is_dir():
                shutil.copytree(path, place, ignore=shutil.ignore_patterns("site"))
            else:
                shutil.copyfile(path, place)
    shutil.copytree(ROOT / "docs" / "pictures", SITE / "extra" / "docs" / "pictures")


def diagrams() -> None:
    """What draws them, from npm."""
    with TemporaryDirectory() as folder:
        subprocess.run(["npm", "pack", "--silent", MERMAID], cwd=folder, check=True)
        [package] = Path(folder).glob("*.tgz")
        with tarfile.open(package) as files:
            script = files.extractfile("package/dist/mermaid.min.js")
            assert script is not None
            (SOURCE / "assets").mkdir()
            (SOURCE / "assets" / "mermaid.js").write_bytes(script.read())


def references() -> None:
    """Pages that are made of the code."""
    folder = SOURCE / "reference"
    folder.mkdir()
    for name in ("http.md", "python.md"):
        shutil.copyfile(Path(__file__).parent / name, folder / name)
    (folder / "openapi.json").write_text(json.dumps(_openapi()))
    _javascript(folder)


def _openapi() -> object:
    """The service's own document."""
    sys.path[:0] = [str(ROOT / "service")]
    for name in [name for name in os.environ if name.upper().startswith("LARNN_")]:
        del os.environ[name]  # of a service of one's own
    from fastapi.testclient import TestClient

    from larnn_service.app import create_app
    from larnn_service.settings import Settings

    app = create_app(Settings(models=str(ROOT / "models")))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        return client.get("/openapi.json").json()


def _javascript(folder: Path) -> None:
    """A page of each package."""
    tools = SITE / "npm"
    tools.mkdir()
    (tools / "package.json").write_text("{}")
    subprocess.run(["npm", "install", "--silent", "--no-fund", *TYPEDOC], cwd=tools, check=True)
    for name in ("client", "edge"):
        shutil.copytree(ROOT / "clients" / "ts" / name, tools / name)
        options = {"compilerOptions": TYPED, "include": [f"{name}/src"]}
        (tools / "tsconfig.json").write_text(json.dumps(options))
        command = ["npx", "typedoc", "--entryPoints", f"{name}/src/index.js", "--out", "told"]
        subprocess.run([*command, *OPTIONS], cwd=tools, check=True)
        told = (tools / "told" / "README.md").read_text()
        (folder / f"{name}.md").write_text(told[told.index(f"# @larnn/{name}") :])


def build() -> None:
    """All of it, into build/site/html; a link that leads nowhere is an error."""
    stage()
    diagrams()
    references()
    sphinx = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    sphinx += ["-c", str(Path(__file__).parent), str(SOURCE), str(SITE / "html")]
    subprocess.run(sphinx, check=True)


if __name__ == "__main__":
    build()
