"""All that keeps a file from being imported is told in one error, and in one proposal."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

from tests.cli.command import Larnn
from tests.importing import graphs
from tests.importing.refused import refused


def test_all_that_is_missing_is_told_in_one_error(tmp_path: Path) -> None:
    text = refused(graphs.branches(tmp_path), tmp_path)
    assert "--set sr=VALUE" in text
    assert "--frame 512" in text
    assert len(text.splitlines()) == 3


def test_problems_of_the_file_and_of_what_was_said_are_told_together(tmp_path: Path) -> None:
    samples = tmp_path / "samples.wav"
    with wave.open(str(samples), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(100))
    text = refused(
        graphs.told_once(tmp_path),
        tmp_path,
        {
            "once": {"speaker": "required"},
            "initial": {"h": "none.npy"},
            "input": {"channels": [{"name": "left", "unit": "m"}]},
            "outputs": [{"name": "y", "task": "classes", "labels": ["A", "B"]}],
        },
        samples=samples.with_name("other.wav"),
    )
    assert text.splitlines()[1:] == [
        "  input gain float32 [] is not known: is it a constant? --set gain=VALUE; given once? "
        "--once gain",
        "  state h float32 [N, 8]: none.npy cannot be read as .npy: [Errno 2] No such file or "
        "directory: 'none.npy'",
        "  output y float32 [N, 3] has 2 names for classes: name each of its 3 numbers by "
        "--labels, or --task raw",
        "  1 channels are named: a step has 4 numbers",
        f"  {tmp_path}/other.wav cannot be read: [Errno 2] No such file or directory: "
        f"'{tmp_path}/other.wav'",
    ]
    said: dict[str, Any] = {"constants": {"sr": 0.5}, "input": {"overlap": 2}}
    said |= {"initial": {"state": 1e60}, "sample_rate_hz": 16000}
    text = refused(graphs.branches(tmp_path), tmp_path, said, samples=samples)
    assert len(text.splitlines()) == 4
    for told in ("constant sr int64 []: 0.5 is no int64", "--frame 512", "no finite float32"):
        assert told in text


def test_what_does_not_run_and_what_does_not_fit_are_told_together(tmp_path: Path) -> None:
    said = {"shapes": {"x": ("b", 5)}, "initial": {"h": "none.npy"}}
    text = refused(graphs.one_step(tmp_path), tmp_path, said)
    assert "no reading of its inputs" in text and "none.npy cannot be read" in text


def test_a_proposal_says_all_that_does_not_fit(larnn: Larnn, tmp_path: Path) -> None:
    said = ("--task", "classes", "--labels", "A,B", "--output", "y", "--initial", "h=none.npy")
    proposed = larnn("import", graphs.told_once(tmp_path), "--propose", *said).out
    for told in (
        "input speaker float32 [N, 4] is not known",
        "input gain float32 [] is not known",
        "none.npy cannot be read",
        "output y float32 [N, 3] has 2 names for classes",
    ):
        assert f"# missing: {told}" in proposed or told in proposed
    assert proposed.count("# missing: ") == 4
    proposed = larnn("import", graphs.one_step(tmp_path), "--propose", *said).out
    assert proposed.count("# missing: ") == 2
