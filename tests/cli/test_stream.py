"""`larnn stream` against the running service."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from larnn_client import Client
from tests.cli.command import Larnn, run, start
from tests.cli.test_ask import RECORDING


def test_a_recording_ends_where_its_classification_does(larnn: Larnn, har_url: str) -> None:
    arguments = ("stream", RECORDING, "--chunk", "100", "--full-speed", "--url", har_url)
    done = larnn(*arguments, "--json")
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert [line["position"] for line in lines] == [*range(100, 1088, 100), 1088]
    with Client(har_url) as client, np.load(RECORDING) as arrays:
        [whole] = client.classify(arrays["signals"][None]).predictions
    assert lines[-1]["probabilities"] == pytest.approx(dict(whole.probabilities), abs=1e-5)
    assert done.err == "ended at 1,088\n"
    shown = larnn(*arguments)
    assert re.search(r"21\.76 s +1,088 +\d+\.\d% +WALKING\n$", shown.out)


def test_every_step_is_answered_where_asked(larnn: Larnn, toy_url: str, tmp_path: Path) -> None:
    np.save(tmp_path / "steps.npy", np.ones((25, 2)))
    done = larnn(
        "stream", tmp_path / "steps.npy", "--full-speed", "--every", "--url", toy_url, "--json"
    )
    assert [json.loads(line)["position"] for line in done.out.splitlines()] == [*range(1, 26)]


def test_it_takes_the_time_that_the_recording_took(
    larnn: Larnn, toy_url: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "steps.npy", np.ones((25, 2)))  # half a second at 50 Hz
    started = time.perf_counter()
    done = larnn("stream", tmp_path / "steps.npy", "--chunk", "5", "--url", toy_url)
    assert time.perf_counter() - started >= 0.5
    assert len(done.out.splitlines()) == 5


@pytest.mark.parametrize(
    "lines",
    [
        "1,2\n3,4\n5,6\n",
        "[1, 2]\n[3, 4]\n[5, 6]",
        "time,right,left\n0,2,1\n\n1,4,3\n2,6,5\n",
    ],
)
def test_standard_input_may_be_csv_or_json(lines: str, toy_url: str) -> None:
    done = run("stream", "-", "--chunk", "2", "--url", toy_url, "--json", given=lines)
    assert done.code == 0, done.err
    answers = [json.loads(line) for line in done.out.splitlines()]
    assert [answer["position"] for answer in answers] == [2, 3]
    # the sums 9 and 12, and 3 steps
    expected = np.exp([9, 12, 3]) / np.exp([9, 12, 3]).sum()
    assert list(answers[-1]["probabilities"].values()) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("1,2\n1,x\n", "standard input, line 2: 'x' is no finite number"),
        ("1,2\n1,nan\n", "line 2: 'nan' is no finite number"),
        ("1,2\n1\n", "line 2: 1 numbers; 2 are asked for"),
        ("[1,2]\n[1,\n", "line 2: no JSON array"),
        ("[1,2]\n[1,null]\n", "line 2: None is no finite number"),
        ("left,rite\n1,2\n", "line 1: neither numbers nor a header with right"),
    ],
)
def test_a_bad_line_is_named(
    lines: str,
    message: str,
    larnn: Larnn,
    toy_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "lines").write_text(lines)
    with (tmp_path / "lines").open() as given:
        monkeypatch.setattr("sys.stdin", given)
        done = larnn("stream", "-", "--url", toy_url)
    assert done.code == 2
    assert message in done.err


def test_a_stream_that_is_kept_goes_on(larnn: Larnn, toy_url: str, tmp_path: Path) -> None:
    np.save(tmp_path / "steps.npy", np.ones((7, 2)))
    arguments = ("stream", tmp_path / "steps.npy", "--full-speed", "--url", toy_url)
    kept = larnn(*arguments, "--keep")
    told = re.fullmatch(r"at 7; go on with --resume (\S+)\n", kept.err)
    assert told, kept.err
    again = larnn(*arguments, "--resume", told[1])
    assert again.err == "ended at 14\n"
    assert larnn(*arguments, "--resume", told[1]).code == 1  # ended


def test_an_interrupted_stream_tells_how_to_go_on(toy_url: str) -> None:
    with start("stream", "-", "--chunk", "1", "--url", toy_url, "--json") as process:
        assert process.stdin and process.stdout and process.stderr
        process.stdin.write("1,2\n3,4\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["position"] == 1
        assert json.loads(process.stdout.readline())["position"] == 2
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert re.match(r"at 2; go on with --resume \S+\n", process.stderr.read())
