"""`larnn models` and `larnn classify` against the running service."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from larnn_client import Client
from tests import live
from tests.cli.command import Larnn, run

RECORDING = live.ROOT / "examples" / "recording.npz"


def test_it_lists_what_is_served(larnn: Larnn, har_url: str) -> None:
    listed = larnn("models", "--url", har_url)
    assert listed.code == 0
    assert "larnn-har/1" in listed.out and "body_acc_x [g]" in listed.out
    served = json.loads(larnn("models", "--url", har_url, "--json").out)
    assert served["default"] == "larnn-har"
    assert served["models"][0]["labels"][0] == "WALKING"


def test_a_process_of_its_own_says_what_the_client_says(har_url: str) -> None:
    done = run("classify", RECORDING, "--array", "windows", "--url", har_url, "--json")
    assert done.code == 0, done.err
    with Client(har_url) as client, np.load(RECORDING) as arrays:
        expected = client.classify(arrays["windows"]).predictions
    results = json.loads(done.out)
    assert [result["label"] for result in results] == [answer.label for answer in expected]
    assert results[1]["first_row"] == 128
    assert results[0]["probabilities"] == pytest.approx(dict(expected[0].probabilities), abs=1e-5)


def test_the_variable_names_the_service(
    larnn: Larnn, har_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LARNN_URL", f"http://127.0.0.1:1 {har_url}")
    assert larnn("models").code == 0


def test_windows_of_a_long_recording_are_summed_up(larnn: Larnn, har_url: str) -> None:
    done = larnn("classify", RECORDING, "--window", "128", "--hop", "32", "--url", har_url)
    assert done.out.count("recording.npz") == 20
    assert "31 in all: WALKING" in done.out  # 1,088 steps


def test_tables_are_read_by_the_names_of_the_channels(
    larnn: Larnn, toy_url: str, tmp_path: Path
) -> None:
    table = pl.DataFrame(
        {
            "take": [1, 1, 2],
            "right": [1.0, 2.0, 0.5],
            "note": ["", "x", ""],
            "left": [9.0, 0.0, 7.5],
        }
    )
    table.write_csv(tmp_path / "takes.csv")
    table.write_parquet(tmp_path / "takes.parquet")
    np.save(tmp_path / "takes.npy", table.select("left", "right").to_numpy())
    for name in ("takes.csv", "takes.parquet"):
        done = larnn("classify", tmp_path / name, "--by", "take", "--url", toy_url, "--json")
        first, second = json.loads(done.out)
        assert (first["label"], first["steps"], first["first_row"]) == ("LEFT", 2, 0)
        assert (second["label"], second["steps"], second["first_row"]) == ("LEFT", 1, 2)
    whole = larnn("classify", tmp_path / "takes.npy", "--url", toy_url, "--json")
    assert [result["steps"] for result in json.loads(whole.out)] == [3]


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_results_are_written_as_asked(
    suffix: str, larnn: Larnn, toy_url: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "signals.npy", np.array([[[1, 2]], [[5, 0]]]))
    output = tmp_path / f"results{suffix}"
    done = larnn("classify", tmp_path / "signals.npy", "-o", output, "--url", toy_url)
    assert done.code == 0, done.err
    if suffix == ".json":
        rows = json.loads(output.read_text())
        probabilities = [row["probabilities"]["LEFT"] for row in rows]
    else:
        table = pl.read_csv(output) if suffix == ".csv" else pl.read_parquet(output)
        rows, probabilities = table.to_dicts(), table["p_LEFT"].to_list()
    assert [row["label"] for row in rows] == ["RIGHT", "LEFT"]
    softmax = np.exp([1, 5]) / [np.exp([1, 2, 1]).sum(), np.exp([5, 0, 1]).sum()]
    assert probabilities == pytest.approx(softmax)


def test_local_needs_no_service(larnn: Larnn, toy_models: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "signals.npy", np.ones((200, 3, 2)))
    environment = live.environment(models=toy_models, model="toy", api_keys="phone:" + "0" * 64)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        done = larnn("classify", tmp_path / "signals.npy", "--local", "--json")
    assert len(json.loads(done.out)) == 200
