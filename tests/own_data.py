"""Somebody's own recordings, made up: tables of gestures as docs/own-data.md describes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from tests.docs import page

PAGE = page.read("own-data.md")
[DESCRIPTION] = [block.text for block in page.blocks(PAGE) if block.language == "toml"]
PEOPLE = ("ann", "bob", "cid", "eve")


def write(folder: Path, takes: int = 3, rows: int = 70, people: tuple[str, ...] = PEOPLE) -> Path:
    """Takes of both gestures by each person, a file a person; the last one's is Parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.toml").write_text(DESCRIPTION)
    random = np.random.default_rng(0)
    for person in people:
        parts = [_take(random, person, take, rows) for take in range(2 * takes)]
        table = pl.concat(parts)
        if person == people[-1]:
            table.write_parquet(folder / f"{person}.parquet")
        else:
            table.write_csv(folder / f"{person}.csv")
    return folder


def _take(random: np.random.Generator, person: str, take: int, rows: int) -> pl.DataFrame:
    """A wave turns to and fro; a push shoves."""
    wave = take % 2 == 0
    swing = np.sin(np.arange(rows) * 0.8 + random.uniform(0, 6))
    turn = swing * wave + random.normal(0, 0.1, rows)
    shove = 9.0 - 3.0 * wave + random.normal(0, 0.3, rows)
    return pl.DataFrame(
        {
            "time": np.arange(rows) / 25,
            "acc": shove.round(4),
            "turn": turn.round(4),
            "gesture": ["wave" if wave else "push"] * rows,
            "who": [person] * rows,
            "take": [take] * rows,
        }
    )
