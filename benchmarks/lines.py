"""python -m benchmarks lines BASE: how large two commits are, and how hard to read."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from collections import defaultdict
from io import BytesIO
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.measure import Output
from benchmarks.server import ROOT

SOURCES = {".py", ".cpp", ".h", ".js", ".html", ".css", ".md"}
"""What people write; data, graphs and pictures have no lines."""
HARDEST = {
    "service/api/websocket.py": "service/larnn_service/transport/websocket_connection.py",
    "service/api/direct.py": "service/larnn_service/transport/http_connection.py",
    "service/api/shortcut.py": "service/larnn_service/endpoints/stream_session.py",
    "service/api/asked.py": "service/larnn_service/wire/stream_decoder.py",
    "service/engine/batcher.py": "service/larnn_service/engine/batching/batcher.py",
    "service/engine/short_runs.py": "service/larnn_service/engine/batching/inline_policy.py",
    "service/engine/pacer.py": "service/larnn_service/engine/streams/fair_queue.py",
    "service/engine/control.py": "service/larnn_service/engine/models/lifecycle.py",
    "service/parent.py": "service/larnn_service/process/supervisor.py",
    "export/networks/larnn_native.py": "export/larnn_export/families/larnn/native.py",
}
"""The files whose functions a review of commit 59e1bbf found hardest to read, and those that do
the same now."""


def lines(
    base: Annotated[str, typer.Argument(help="the earlier commit")],
    head: Annotated[str, typer.Argument(help="the later one")] = "HEAD",
    repository: Annotated[Path, typer.Option(help="which git repository")] = ROOT,
    output: Output = None,
) -> None:
    """Files and lines of two commits by folder, and the hardest functions of ten files (C901)."""
    with tempfile.TemporaryDirectory() as folder:
        trees = [_unpacked(repository, one, Path(folder) / one) for one in (base, head)]
        sizes = [_sizes(tree) for tree in trees]
        rows: list[dict[str, Any]] = [
            {"folder": name, "before": sizes[0][name], "after": sizes[1][name]}
            for name in sorted({*sizes[0], *sizes[1]})
        ]
        hardest: list[dict[str, Any]] = [
            {"before": _hardest(trees[0], before), "after": _hardest(trees[1], after)}
            for before, after in HARDEST.items()
        ]
    for row in rows:
        print(f"{row['folder']:12} {row['before']} {row['after']}")
    for row in hardest:
        print(row["before"], row["after"], sep="\n    ")
    if output is not None:
        commits = [_git(repository, "rev-parse", "--short", one) for one in (base, head)]
        short = [commit.decode().strip() for commit in commits]
        record = {"command": "lines", "commits": short, "rows": rows, "hardest": hardest}
        output.write_text(json.dumps(record, indent=1) + "\n")


def _unpacked(repository: Path, commit: str, folder: Path) -> Path:
    with tarfile.open(fileobj=BytesIO(_git(repository, "archive", commit))) as tree:
        tree.extractall(folder, filter="data")
    return folder


def _git(repository: Path, *words: str) -> bytes:
    command = ["git", "-C", str(repository), *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def _sizes(tree: Path) -> dict[str, dict[str, int]]:
    """Files and lines of each folder of a tree; those of the root itself under "."."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: {"files": 0, "lines": 0})
    for path in tree.rglob("*"):
        if path.suffix in SOURCES and path.is_file() and not path.is_symlink():
            parts = path.relative_to(tree).parts
            size = found[parts[0] if len(parts) > 1 else "."]
            size["files"] += 1
            size["lines"] += len(path.read_text().splitlines())
    return found


def _hardest(tree: Path, file: str) -> dict[str, Any] | None:
    """The function with the highest cyclomatic complexity, the longest of several."""
    if not (tree / file).is_file():
        return None
    text = (tree / file).read_text()
    long = {
        node.lineno: (node.end_lineno or node.lineno) - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    command = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "C901"]
    command += ["--config", "lint.mccabe.max-complexity=0", "--output-format", "json", file]
    told = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE).stdout
    functions = []
    for each in json.loads(told):
        name, complexity = re.findall(r"`(.+)` is too complex \((\d+) >", each["message"])[0]
        # Decorators stand before the line that names the function.
        line = min(at for at in long if at >= each["location"]["row"])
        functions.append((int(complexity), long[line], name))
    complexity, length, name = max(functions)
    return {"file": file, "function": name, "complexity": complexity, "lines": length}
