"""Files and lines by folder, at two commits."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.lines import HARDEST
from benchmarks.published import TABLES

BEFORE, AFTER = "service/engine/pacer.py", HARDEST["service/engine/pacer.py"]


def test_it_counts_what_people_write_and_names_the_hardest_function(tmp_path: Path) -> None:
    repository, output = tmp_path / "repository", tmp_path / "lines.json"
    _commit(repository, {BEFORE: "def plain():\n    pass\n", "docs/data.json": "{}\n"})
    branching = "@property\ndef turn(a):\n    if a:\n        return 1\n    return 2\n"
    _commit(repository, {AFTER: branching, "README.md": "# Words\n"})
    words = ["lines", "HEAD~1", "--repository", str(repository), "--output", str(output)]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0
    record = json.loads(output.read_text())
    sizes = {row["folder"]: (row["before"], row["after"]) for row in record["rows"]}
    none = {"files": 0, "lines": 0}
    assert sizes == {
        ".": (none, {"files": 1, "lines": 1}),
        "service": ({"files": 1, "lines": 2}, {"files": 2, "lines": 7}),
    }
    [found] = [row for row in record["hardest"] if row["before"]]
    assert found["before"] == _function(BEFORE, "plain", 1, 2)
    assert found["after"] == _function(AFTER, "turn", 2, 4)
    table = TABLES["lines"](record)
    assert "| service | 1 | 2 | 2 | 7 |" in table
    assert f"| `plain`, {BEFORE} | 1 | 2 | `turn`, {AFTER} | 2 | 4 |" in table
    assert "| gone | | | gone | | |" in table


def _function(file: str, name: str, complexity: int, lines: int) -> dict[str, str | int]:
    return {"file": file, "function": name, "complexity": complexity, "lines": lines}


def _commit(repository: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (repository / name).parent.mkdir(parents=True, exist_ok=True)
        (repository / name).write_text(text)
    me = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]
    for words in (["init", "-q"], ["add", "-A"], [*me, "commit", "-q", "-m", "A commit"]):
        subprocess.run(["git", "-C", str(repository), *words], check=True)
