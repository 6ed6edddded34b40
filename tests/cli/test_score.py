"""`larnn score`: every step once, whatever the files, and as the service answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from larnn_cli.score.places import Folder
from larnn_cli.score.question import ask, load
from larnn_cli.score.scorer import Scorer
from larnn_client import Classes, Client
from tests import carried, live, many_outputs
from tests.cli.command import ENVIRONMENT, Larnn

Steps = NDArray[np.float32]


def made(steps: int, seed: int = 0) -> Steps:
    return np.random.default_rng(seed).integers(-3, 4, (steps, 2)).astype(np.float32)


def write(file: Path, recordings: Sequence[Steps], **settings: Any) -> None:
    """One file of recordings that a column `take` tells apart."""
    file.parent.mkdir(parents=True, exist_ok=True)
    steps = np.concatenate([np.empty((0, 2), np.float32), *recordings])
    take = np.repeat(np.arange(len(recordings)), [len(each) for each in recordings])
    table = pa.table({"note": take * 0.5, "take": take, "right": steps[:, 1], "left": steps[:, 0]})
    pq.write_table(table, file, **settings)


def labels(steps: Steps) -> list[str]:
    """What the toy says of each step of a recording."""
    numbers = np.column_stack([steps.cumsum(axis=0), np.arange(1, len(steps) + 1)])
    return [("LEFT", "RIGHT", "LONG")[index] for index in numbers.argmax(axis=1)]


@pytest.mark.usefixtures("toys")
def test_a_folder_of_recordings_has_a_row_for_each_step_and_for_each_recording(
    larnn: Larnn, tmp_path: Path
) -> None:
    takes = [made(700), made(1, 1), made(256, 2)]
    write(tmp_path / "in" / "a.parquet", takes)
    write(tmp_path / "in" / "deep" / "b.parquet", [made(5, 3)], row_group_size=2)
    write(tmp_path / "in" / "_not_read.parquet", [made(5)])
    write(tmp_path / "in" / "none.parquet", [])

    done = larnn("score", tmp_path / "in", tmp_path / "steps", "--every", "--by", "take")
    assert done.code == 0, done.err
    assert "3 files, 962 steps" in done.err
    told = pq.read_table(tmp_path / "steps" / "a.parquet").to_pydict()
    assert told["row"] == list(range(957))
    assert told["label"] == [label for take in takes for label in labels(take)]
    assert [column for column in told] == ["row", "label", "p_LEFT", "p_RIGHT", "p_LONG"]
    assert told["p_LEFT"][700] == pytest.approx(share(takes[1])[0])
    assert pq.read_table(tmp_path / "steps" / "none.parquet").num_rows == 0

    assert larnn("score", tmp_path / "in", tmp_path / "takes", "--by", "take").code == 0
    told = pq.read_table(tmp_path / "takes" / "a.parquet").to_pydict()
    assert told["label"] == [labels(take)[-1] for take in takes]
    assert (told["take"], told["first_row"], told["steps"]) == (
        [0, 1, 2],
        [0, 700, 701],
        [700, 1, 256],
    )
    assert pq.read_table(tmp_path / "takes" / "deep" / "b.parquet").num_rows == 1


def share(steps: Steps) -> Any:
    exponentials = np.exp([*steps.sum(axis=0), len(steps)])
    return exponentials / exponentials.sum()


def test_it_says_what_the_service_says(
    larnn: Larnn, har_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LARNN_MODELS", str(live.ROOT / "models"))
    with Client(har_url) as client:
        channels = next(one for one in client.models().models if one.name == "larnn-har").channels
        steps = np.random.default_rng(0).normal(size=(300, len(channels))).astype(np.float32)
        with client.stream(model="larnn-har", emit="every") as stream:
            [answer] = stream.predict([steps])
        each = [step.answer for step in answer.steps or ()]
        expected = [one for one in each if isinstance(one, Classes)]
    columns = {name: steps[:, index].astype(float) for index, name in enumerate(channels)}
    pq.write_table(pa.table(columns), tmp_path / "one.parquet")
    assert larnn("score", tmp_path / "one.parquet", tmp_path / "out", "--every").code == 0
    told = pq.read_table(tmp_path / "out" / "answers.parquet").to_pydict()
    assert told["label"] == [one.label for one in expected]
    shares = [
        [each.probabilities[label] for each in expected] for label in expected[0].probabilities
    ]
    mine = [told[f"p_{label}"] for label in expected[0].probabilities]
    np.testing.assert_allclose(mine, shares, atol=1e-5)


@pytest.mark.usefixtures("toys")
@settings(max_examples=30, deadline=None)
@given(
    files=st.lists(st.lists(st.integers(1, 600), max_size=6), min_size=1, max_size=6),
    threads=st.integers(1, 3),
    batch=st.integers(1, 5),
    every=st.booleans(),
)
def test_however_many_run_side_by_side_each_step_counts_once(
    tmp_path_factory: pytest.TempPathFactory,
    files: list[list[int]],
    threads: int,
    batch: int,
    every: bool,
) -> None:
    folder = tmp_path_factory.mktemp("score")
    recordings = [[made(steps, steps) for steps in file] for file in files]
    for index, file in enumerate(recordings):
        write(folder / "in" / f"{index}.parquet", file)
    question, _ = ask(load(None, None, threads), by=("take",), every=every)
    source, target = Folder(str(folder / "in")), Folder(str(folder / "out"))
    told = list(Scorer(question, source, target, threads, batch).score(source.jobs()))
    assert sum(each.steps for each in told) == sum(map(sum, files))
    for index, file in enumerate(recordings):
        answers = pq.read_table(folder / "out" / f"{index}.parquet")["label"].to_pylist()
        wanted = [labels(each) if every else labels(each)[-1:] for each in file]
        assert answers == [label for each in wanted for label in each]


@pytest.mark.usefixtures("toys")
def test_a_file_that_cannot_be_read_keeps_no_other_from_it(larnn: Larnn, tmp_path: Path) -> None:
    source = tmp_path / "in"
    write(source / "good.parquet", [made(600)])
    columns = {"left": [0.0] * 300, "right": [1.0] * 300}
    for name, change, _ in BAD:
        pq.write_table(pa.table(columns | change), source / f"{name}.parquet")
    (source / "damaged.parquet").write_bytes(b"PAR1 and no more PAR1")
    pq.write_table(pa.table({"left": [1.0]}), source / "lacks.parquet")
    done = larnn("score", source, tmp_path / "out", "--every")
    assert done.code == 1
    for name, _, why in (
        *BAD,
        ("damaged", {}, "cannot be read"),
        ("lacks", {}, "no column 'right'"),
    ):
        assert f"{name}.parquet: " in done.err and why in done.err
    assert "1 files, 600 steps" in done.err
    assert [path.name for path in (tmp_path / "out").glob("*.parquet")] == ["good.parquet"]
    assert not list((tmp_path / "out").glob(".*")), "a draft was left"
    again = larnn("score", source, tmp_path / "out", "--every")
    assert again.code == 1 and "1 files have answers already" in again.err


BAD: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("text", {"right": ["x"] * 300}, "column 'right' has string; numbers are asked for"),
    ("empty", {"right": [1.0] * 299 + [None]}, "row 299: column 'right' is empty"),
    ("nan", {"left": [0.0, float("nan")] * 150}, "[1][0]"),
    ("list", {"left": [[0.0]] * 300}, "lists of numbers, as --column takes them"),
    ("large", {"left": [1e300] * 300}, "[0][0]"),
)


@pytest.mark.usefixtures("toys")
def test_answers_to_different_questions_do_not_mix(larnn: Larnn, tmp_path: Path) -> None:
    write(tmp_path / "in.parquet", [made(5)])
    assert larnn("score", tmp_path / "in.parquet", tmp_path / "out").code == 0
    assert larnn("score", tmp_path / "in.parquet", tmp_path / "out").code == 0
    for option, what in (("--every", "every"), ("--by=take", "by"), ("--units=m/s²", "measured")):
        refused = larnn("score", tmp_path / "in.parquet", tmp_path / "out", option)
        assert refused.code == 2 and f": {what} differ" in refused.err
    for option, what in (
        ("--outputs=more", "toy has logits"),
        ("--model=other", "no such model"),
        ("--context=gain=2", "it takes none"),
        ("--units=furlong", "units"),
    ):
        refused = larnn("score", tmp_path / "in.parquet", tmp_path / "other", option)
        assert refused.code == 2 and what in refused.err
    assert larnn("score", tmp_path / "nowhere", tmp_path / "other").code == 2


@pytest.mark.usefixtures("toys")
def test_units_and_lists_are_the_models_numbers(larnn: Larnn, tmp_path: Path) -> None:
    steps = np.array([[0, 2], [3, 0]], np.float32)
    table = pa.table({"x": list((steps * 9.80665).astype(np.float64))})
    pq.write_table(table, tmp_path / "in.parquet")
    done = larnn(
        "score",
        tmp_path / "in.parquet",
        tmp_path / "out",
        "--column",
        "x",
        "--units=m/s²",
        "--every",
    )
    assert done.code == 0, done.err
    told = pq.read_table(tmp_path / "out" / "answers.parquet").to_pydict()
    assert told["label"] == ["RIGHT", "LEFT"]


def test_outputs_of_every_task_are_columns(
    larnn: Larnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    many_outputs.publish(tmp_path / "models")
    monkeypatch.setenv("LARNN_MODELS", str(tmp_path / "models"))
    steps = made(4)
    write(tmp_path / "in.parquet", [steps])
    names = [output.name for output in many_outputs.OUTPUTS[1:]]
    options = [f"--outputs={name}" for name in names]
    assert larnn("score", tmp_path / "in.parquet", tmp_path / "out", "--every", *options).code == 0
    told = pq.read_table(tmp_path / "out" / "answers.parquet").to_pydict()
    wanted = many_outputs.expected(steps)
    np.testing.assert_allclose(np.array([told["left"], told["right"]]).T, wanted["sums"])
    np.testing.assert_allclose(told["signs.p_LEFT"], wanted["chance"][:, 0], rtol=1e-6)
    np.testing.assert_allclose(told["chance.p_RIGHT"], wanted["chance"][:, 1], rtol=1e-4)
    assert told["steps_seen.output"] == wanted["steps_seen"].tolist()
    assert told["grid.output"] == wanted["grid"].reshape(4, 2).tolist()


def test_a_model_is_told_its_context_once(
    larnn: Larnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried.publish(tmp_path / "models")
    monkeypatch.setenv("LARNN_MODELS", str(tmp_path / "models"))
    pq.write_table(pa.table({"level": [1.0, 2.0]}), tmp_path / "in.parquet")
    given = ("--every", "--context=gain=2", "--context=shift=[0.5,1.5]")
    done = larnn("score", tmp_path / "in.parquet", tmp_path / "out", *given)
    assert done.code == 0, done.err
    told = pq.read_table(tmp_path / "out" / "answers.parquet").to_pydict()
    assert told["output"] == [[2.5, 3.5], [6.5, 7.5]]


DIES = """
import os, signal, sys
from larnn_cli.score.plan import plan

planned = plan(*sys.argv[1:], every=True, batch=3)
for told in planned.scorer.score(planned.jobs):
    if told.is_over:
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_run_goes_on_where_it_was(
    toy_models: Path, larnn: Larnn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LARNN_MODELS", str(toy_models))
    takes = [made(18_000 * (1 + seed % 2), seed) for seed in range(6)]
    source, target = tmp_path / "in", tmp_path / "out"
    for index, take in enumerate(takes):
        write(source / f"{index:02}.parquet", [take])
    variables = ENVIRONMENT | {"LARNN_MODELS": str(toy_models)}
    command = [sys.executable, "-c", DIES, str(source), str(target)]
    killed = subprocess.run(command, env=variables, check=False)
    assert killed.returncode == -signal.SIGKILL
    whole = {path: path.stat().st_mtime_ns for path in target.glob("[0-9]*.parquet")}
    parts = list(target.glob(".*.part"))
    assert 1 <= len(whole) < 6 and parts
    for part in parts[1:]:
        os.utime(part, (0, 0))
    done = larnn("score", source, target, "--every")
    assert done.code == 0 and f"{len(whole)} files have answers already" in done.err
    assert whole == {path: path.stat().st_mtime_ns for path in whole}
    assert list(target.glob(".*")) == parts[:1], "one may be another run's"
    for index, take in enumerate(takes):
        told = pq.read_table(target / f"{index:02}.parquet")["label"].to_pylist()
        assert told == labels(take)


@pytest.mark.usefixtures("toys")
def test_places_may_be_any_of_fsspec(larnn: Larnn, tmp_path: Path) -> None:
    import fsspec

    write(tmp_path / "a.parquet", [made(300)])
    files = fsspec.filesystem("memory")
    files.put_file(str(tmp_path / "a.parquet"), "/in/a.parquet")
    assert larnn("score", "memory://in", "memory://out").code == 0
    with files.open("/out/a.parquet") as file:
        assert pq.read_table(file)["label"].to_pylist() == [labels(made(300))[-1]]
    with files.open("/out/_score.json") as file:
        assert json.load(file)["model"] == "toy"
    again = larnn("score", "memory://in", "memory://out")
    assert again.code == 0 and "1 files have answers already" in again.err
    unknown = larnn("score", "nothing://in", tmp_path / "out")
    assert unknown.code == 2 and "nothing" in unknown.err
