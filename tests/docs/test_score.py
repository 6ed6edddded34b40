"""docs/score.md: its blocks run, and its table has the columns that are written."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pyarrow.parquet as pq

from tests import live
from tests.docs import page, shell

PAGE = page.read("score.md")
BLOCKS = page.blocks(PAGE)


def test_a_recording_is_scored(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(live.ROOT / "examples")
    (tmp_path / "recordings").mkdir()
    make, _ = [block.text for block in BLOCKS if block.language == "python"]
    install, score = [block.text for block in BLOCKS if block.language == "sh"]
    assert not shell.is_run(install)
    shell.run(f"python - <<'E'\n{make}\nE", tmp_path / "bin")
    shell.run(score, tmp_path / "bin", LARNN_MODELS=str(live.ROOT / "models"))
    [one] = pq.read_table(tmp_path / "labels" / "one.parquet").to_pylist()
    assert (one["label"], one["first_row"], one["steps"]) == ("WALKING", 0, 1088)
    steps = pq.read_table(tmp_path / "steps" / "one.parquet")
    assert steps["row"].to_pylist() == list(range(1088))
    told = re.findall(r"^\| (.+?) \|", PAGE, re.M)
    named = {name for row in told for name in re.findall(r"`(\w+)`", row)}
    assert {"first_row", "steps", "row", "label", "p_LABEL", "output"} == named


def test_what_it_installs_exists() -> None:
    project = tomllib.loads((live.ROOT / "pyproject.toml").read_text())["project"]
    assert {"score", "s3"} <= set(project["optional-dependencies"])
