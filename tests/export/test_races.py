"""The three races: their data, and that each is run, kept and drawn."""

from __future__ import annotations

import gzip
import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from larnn_export.__main__ import app
from larnn_export.data import DataError
from larnn_export.data.imdb import load_imdb
from larnn_export.data.mnist import load_mnist
from larnn_export.graph import build_graph
from larnn_export.tasks.adding import BUDGET, Adding, adding_problem
from larnn_export.tasks.publish import text_contract
from larnn_export.tasks.race import run
from larnn_export.tasks.task import Shuffled
from larnn_export.verify import verify
from larnn_service.backend.model_repository import load_model
from tests import texts

SHORT = BUDGET.model_copy(update={"updates": 60, "batch_size": 16, "measure_every": 20})


def export(*arguments: str | Path) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve images and forty reviews a split, in the formats of the originals."""
    root, random = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    (root / "mnist").mkdir()
    (root / "imdb").mkdir()
    for split in ("train", "t10k"):
        images = random.integers(0, 256, (12, 28, 28), dtype=np.uint8).tobytes()
        for what, header, content in (
            ("images-idx3", struct.pack(">4I", 2051, 12, 28, 28), images),
            ("labels-idx1", struct.pack(">2I", 2049, 12), bytes(row % 10 for row in range(12))),
        ):
            (root / "mnist" / f"{split}-{what}-ubyte.gz").write_bytes(
                gzip.compress(header + content)
            )
    for split in ("train", "test"):
        lines = [
            json.dumps({"text": f"{texts.SENTENCES[row % 2]}<br />{row}", "label": row % 2})
            for row in range(40)
        ]
        (root / "imdb" / f"imdb_{split}.jsonl.gz").write_bytes(
            gzip.compress("\n".join(lines).encode())
        )
    return root


def test_the_adding_problem_marks_one_number_of_each_half() -> None:
    batch = adding_problem(20, 11, torch.Generator().manual_seed(0))
    numbers, marks = batch.x.unbind(-1)
    assert marks[:, :5].sum(1).tolist() == [1.0] * 20
    assert marks[:, 5:].sum(1).tolist() == [1.0] * 20
    torch.testing.assert_close((numbers * marks).sum(1), batch.target)
    assert batch.last.tolist() == [10] * 20


@pytest.mark.parametrize("family", ["lstm", "rra"])
def test_a_race_learns_stops_and_is_not_run_again(family: str, tmp_path: Path) -> None:
    budget = SHORT.model_copy(update={"stop_below": 0.1})
    task = Adding(6, budget, hidden_size=16)
    result = run(task, family, 0, tmp_path)
    errors = [error for _, _, error in result["curve"]]
    assert errors[-1] < errors[0] or len(errors) == 1
    assert len(errors) == 3 or errors[-1] < 0.1
    before = (tmp_path / "result.json").stat().st_mtime_ns
    assert run(task, family, 0, tmp_path) == result
    assert (tmp_path / "result.json").stat().st_mtime_ns == before


def test_a_finished_race_is_not_taken_for_one_of_another_budget(tmp_path: Path) -> None:
    runs = ["adding", "--runs", str(tmp_path / "runs"), "--seeds", "1"]
    output = ["--output", str(tmp_path / "results")]
    export(*runs, *output, "--updates", "2")
    before = (tmp_path / "results" / "adding.json").read_bytes()
    result = CliRunner().invoke(app, [*runs, *output, "--updates", "3"])
    assert result.exit_code == 2
    told = " ".join(result.output.replace("│", " ").split())
    assert "another budget: updates 2, not 3" in told and "--runs" in told
    assert (tmp_path / "results" / "adding.json").read_bytes() == before


def test_every_row_comes_before_any_comes_again() -> None:
    rows, generator = Shuffled(10, 3), torch.Generator().manual_seed(0)
    taken = torch.cat([rows.next(generator) for _ in range(10)]).tolist()
    assert [sorted(taken[start : start + 10]) for start in (0, 10, 20)] == [[*range(10)]] * 3


def test_pixels_come_in_reading_order_from_0_to_1(data: Path) -> None:
    images, digits = load_mnist("test", data)
    assert images.shape == (12, 784, 1)
    assert 0 <= images.min() < images.max() <= 1
    assert digits.tolist() == [*range(10), 0, 1]


def test_reviews_lose_their_markup(data: Path) -> None:
    read, labels = load_imdb("train", data)
    assert read[3] == f"{texts.SENTENCES[1]} 3"
    assert labels[:4] == [0, 1, 0, 1]


@pytest.mark.parametrize("load", [load_mnist, load_imdb])
def test_missing_and_damaged_data_is_named(load: object, data: Path, tmp_path: Path) -> None:
    assert callable(load)
    with pytest.raises(DataError, match="LARNN_DATA"):
        load("train", tmp_path)
    for name in ("mnist", "imdb"):
        (tmp_path / name).mkdir()
        for file in (data / name).iterdir():
            (tmp_path / name / file.name).write_bytes(file.read_bytes()[:-20])
    with pytest.raises(DataError, match="is damaged"):
        load("train", tmp_path)


def test_commands_race_and_publish(data: Path, tmp_path: Path) -> None:
    runs: list[str | Path] = ["--runs", tmp_path / "runs", "--seeds", "1", "--updates", "2"]
    output: list[str | Path] = ["--output", tmp_path / "results"]
    export("adding", *runs, *output)
    export("mnist", *runs, *output, "--data", data)
    for name, tasks in (("adding", 3), ("mnist", 1)):
        results = json.loads((tmp_path / "results" / f"{name}.json").read_text())
        assert [r["family"] for r in results] == ["lstm", "rra"] * tasks
        assert (tmp_path / "results" / f"{name}.png").stat().st_size > 1000


def test_a_network_of_tokens_has_parity() -> None:
    network = texts.network()
    model = build_graph(network, text_contract(network, texts.tokenizer()))
    parity = verify(network, model)
    assert max(parity.logits, parity.state) < 1e-5


def test_reviews_are_raced_and_published(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("larnn_export.tasks.reviews.VOCABULARY", texts.VOCABULARY)
    runs: list[str | Path] = ["--runs", tmp_path / "runs", "--seeds", "1", "--updates", "2"]
    export("imdb", *runs, "--output", tmp_path / "results", "--data", data)
    export("publish-text", tmp_path / "runs" / "imdb-rra-s0", "--models", tmp_path / "models")
    folder = tmp_path / "models" / "rra-imdb" / "1"
    model = load_model(folder, "cpu")
    assert model.tokenizer is not None
    assert len(model.tokenizer.encode(texts.SENTENCES[0])) > 3
    assert "test reviews" in " ".join((folder / "README.md").read_text().split())
