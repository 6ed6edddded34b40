"""Graphs that read tokens, whole numbers of which there are so many."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from larnn_client import BadInput, Client
from larnn_export.importing import Options, import_graph
from tests import live
from tests.importing import graphs
from tests.importing.refused import refused


def test_whole_numbers_are_tokens_of_which_there_are_so_many(tmp_path: Path) -> None:
    file = graphs.tokens(tmp_path)
    text = refused(file, tmp_path)
    assert (
        "tokens int64 [N, time] takes a whole number a step: say how many tokens there are: "
        in text
    )
    assert "--tokens 50, the rows of its table" in text
    text = refused(file, tmp_path, {"input": {"tokens": 60}})
    assert "the file does not run on random tokens: " in text
    text = refused(graphs.one_step(tmp_path), tmp_path, {"input": {"tokens": 60}})
    assert "60 tokens: a step is one token, and here it has 4 numbers" in text


def test_samples_of_tokens_are_tokens(tmp_path: Path) -> None:
    file, samples = graphs.tokens(tmp_path), tmp_path / "samples.npy"
    said = {"input": {"tokens": 50}}
    for array, told in (
        (np.array([3, 50]), "samples must be tokens, whole numbers from 0 to 49"),
        (np.array([3, 0.5]), "samples must be tokens, whole numbers from 0 to 49"),
    ):
        np.save(samples, array)
        assert told in refused(file, tmp_path, said, samples=samples)
    np.save(samples, np.arange(50))
    options = Options.model_validate({"name": "mine", **said})
    imported = import_graph(file, options, tmp_path / "models", samples=samples)
    assert imported.difference.steps == 50 and imported.difference.largest < 1e-5


def test_tokens_are_streamed(tmp_path: Path) -> None:
    options = Options.model_validate({"name": "mine", "input": {"tokens": 50}})
    import_graph(graphs.tokens(tmp_path), options, tmp_path / "models")
    tokens = np.array([3, 49, 0, 3, 17])
    wanted = graphs.weights(table=(50, 4))["table"][tokens].cumsum(axis=0)
    with live.running(models=tmp_path / "models", model="mine") as url, Client(url) as client:
        with client.stream(emit="every") as stream:
            chunks = [tokens[:2, None], tokens[2:, None]]
            answers = [step for each in stream.predict(chunks) for step in each.steps or ()]
        np.testing.assert_allclose([step.array for step in answers], wanted, atol=1e-6)
        with pytest.raises(BadInput, match="from 0 to 49"):
            client.classify([np.array([[50]])])
