"""docs/architecture.md and the decisions name only what exists."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from tests import live
from tests.docs import page

CLI = live.ROOT.glob("cli/**/*.py")
CLIENT = (live.ROOT / "client/src").glob("**/*.py")
PAGES = ["architecture.md", *sorted(f"decisions/{p.name}" for p in page.DOCS.glob("decisions/*"))]
SUFFIXES = ("md", "py", "json", "onnx", "toml")


def _names() -> tuple[set[str], set[str]]:
    """Every name and identifier-like text in the code, and every Class.member."""
    names: set[str] = set()
    members: set[str] = set()
    for path in [
        *live.ROOT.glob("service/**/*.py"),
        *live.ROOT.glob("export/**/*.py"),
        *CLI,
        *CLIENT,
    ]:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.ClassDef(name=owner):
                    names.add(owner)
                    for item in node.body:
                        if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef):
                            members.add(f"{owner}.{item.name}")
                        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                            members.add(f"{owner}.{item.target.id}")
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    names.add(name)
                case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                    names.add(name)
                case ast.Constant(value=str(name)):
                    names.add(name)
    return names, members


NAMES, MEMBERS = _names()
for scripts in ("clients/ts/*/src/**/*.js", "service/larnn_service/web/*.js"):
    for script in live.ROOT.glob(scripts):
        NAMES |= set(re.findall(r"\w+", script.read_text()))


@pytest.mark.parametrize("name", PAGES)
def test_every_file_it_names_exists(name: str) -> None:
    for path in re.findall(r"`([\w./-]+(?:/|\.(?:md|py|toml)))`", page.read(name)):
        assert (live.ROOT / path).exists(), path


@pytest.mark.parametrize("name", PAGES)
def test_every_member_it_names_exists(name: str) -> None:
    for dotted in re.findall(r"\b[A-Z]\w*\.[a-z_]\w*", page.read(name)):
        assert dotted.endswith(SUFFIXES) or dotted in MEMBERS, dotted


@pytest.mark.parametrize("name", PAGES)
def test_every_code_name_exists(name: str) -> None:
    for token in re.findall(r"`([A-Za-z_]\w*)(?:\(\))?`", page.read(name)):
        assert token in NAMES or token.startswith("LARNN_"), token


OF_EXPORT = {"contract", "conversion", "distribution", "inputs", "outputs", "tensors", "vocabulary"}
BELOW_ALL = {"__init__", "__main__", "finite", "web"}


def test_each_module_of_the_service_is_allowed_or_forbidden_to_export() -> None:
    linter = tomllib.loads((live.ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    [contract] = [each for each in linter["contracts"] if each["name"].startswith("export knows")]
    forbidden = {name.removeprefix("larnn_service.") for name in contract["forbidden_modules"]}
    folder = live.ROOT / "service" / "larnn_service"
    modules = {path.stem for path in folder.iterdir() if path.is_dir() or path.suffix == ".py"} - {
        "__pycache__"
    }
    assert modules == forbidden | OF_EXPORT | BELOW_ALL
    assert not forbidden & OF_EXPORT
    told = page.read("architecture.md").split("export may import the contract")[1].split(".")[0]
    assert set(re.findall(r"`(\w+)`", told)) == OF_EXPORT - {"contract"}
