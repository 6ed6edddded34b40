"""What cannot be imported is told at once, each with its mend, and nothing stays behind."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from larnn_export.importing import Options, import_graph
from larnn_export.placing import PublishError
from tests.importing import graphs
from tests.importing.refused import refused

PASS = "y = Identity(x)"


def _graph(folder: Path, text: str, **arrays: Any) -> Path:
    return graphs.write(folder, text, arrays)


def test_two_states_of_one_shape_are_not_guessed(tmp_path: Path) -> None:
    file = _graph(
        tmp_path,
        """two (float[N,4] x, float[N,4] left, float[N,4] right)
        => (float[N,4] y, float[N,4] alpha, float[N,4] beta) {
            y = Add(x, left)
            alpha = Add(y, right)
            beta = Identity(x)
        }""",
    )
    text = refused(file, tmp_path)
    assert "--state left=y or --state left=alpha or --state left=beta" in text
    assert "--state right=" in text
    said = {"state": {"left": "alpha", "right": "beta"}}
    imported = import_graph(file, Options(name="mine", **said), tmp_path / "models")
    assert [tensor.name for tensor in imported.plan.contract.state] == ["left", "right"]


def test_a_state_without_a_next_value_is_told(tmp_path: Path) -> None:
    file = _graph(tmp_path, f"lost (float[N,4] x, float[N,7] h) => (float[N,4] y) {{ {PASS} }}")
    text = refused(file, tmp_path)
    assert "input h float32 [N, 7] is not known: no output has its type and shape" in text
    assert "--input x --input h" in text


def test_a_state_of_another_shape_is_told(tmp_path: Path) -> None:
    file = _graph(
        tmp_path,
        """other (float[N,4] x, float[N,a] h) => (float[N,4] y, float[N,b] hn) {
            y = Identity(x)
            hn = Concat <axis = 1> (h, x)
        }""",
    )
    text = refused(file, tmp_path)
    assert "state h float32 [N, a] has several dynamic axes" in text
    text = refused(file, tmp_path, {"shapes": {"h": ("b", 4)}})
    assert "hn ['b', 8] is no next h ['b', 4]" in text


def test_names_that_the_file_does_not_have_are_told(tmp_path: Path) -> None:
    said = {"constants": {"sr": 1}, "outputs": [{"name": "z"}], "input": {"names": ["w"]}}
    said |= {"initial": {"hh": 1.0}, "shapes": {"xx": ("b", 4)}}
    said |= {"state": {"old": "new"}, "once": {"rate": 1}}
    text = refused(graphs.one_step(tmp_path), tmp_path, said)
    for name in ("sr", "w", "hh", "xx", "old", "rate"):
        assert f"input {name}: the file has no such input; it has x, h" in text
    for name in ("z", "new"):
        assert f"output {name}: the file has no such output; it has y, hn" in text


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"constants": {"h": 0}, "state": {"h": "hn"}}, "input h: the options say 2 things"),
        ({"once": {"h": 0}, "input": {"names": ["x", "h"]}}, "input h: the options say 2 things"),
        ({"outputs": [{"name": "y"}, {"name": "y"}]}, "output y: the options say 2 things"),
        ({"constants": {"h": 0}, "shapes": {"h": ("b", 8)}}, "constant h: a --shape is for"),
        ({"shapes": {"h": ("t", 8)}}, "state h float32 [N, 8]: it has no steps"),
    ],
)
def test_what_is_said_is_never_ignored(said: dict[str, Any], told: str, tmp_path: Path) -> None:
    assert told in refused(graphs.one_step(tmp_path), tmp_path, said)


def test_what_begins_must_be_a_state(tmp_path: Path) -> None:
    text = refused(graphs.one_step(tmp_path), tmp_path, {"initial": {"x": 1.0}})
    assert "state x: the file has no such state; it has h" in text


def test_without_state_there_is_no_stream(tmp_path: Path) -> None:
    file = _graph(tmp_path, f"plain (float[N,4] x) => (float[N,4] y) {{ {PASS} }}")
    assert "it has no state" in refused(file, tmp_path)


def test_layers_that_begin_anew_are_told(tmp_path: Path) -> None:
    file = _graph(
        tmp_path,
        """anew (float[time,N,4] x) => (float[time,N,8] y) {
            all, hn = RNN <hidden_size = 8> (x, w, r)
            axis = Constant <value_ints = [1]> ()
            y = Squeeze(all, axis)
        }""",
        **graphs.weights(w=(1, 8, 4), r=(1, 8, 8)),
    )
    text = refused(file, tmp_path)
    assert "its RNN begins anew with each run: export it again with the initial state" in text


def test_labels_are_counted_and_unique(tmp_path: Path) -> None:
    for labels, told in (
        (["A", "B"], "has 2 names for classes: name each of its 3 numbers by --labels, or"),
        (["A", "A", "B"], "y float32 [N, 3]: output y: names must be unique, got ['A', 'A', 'B']"),
    ):
        said = {"outputs": [{"name": "y", "task": "classes", "labels": labels}]}
        text = refused(graphs.one_step(tmp_path), tmp_path, said)
        assert told in text


def test_what_looks_ahead_is_refused_and_may_be_stepped(tmp_path: Path) -> None:
    file = graphs.looks_ahead(tmp_path)
    assert "does it look ahead" in refused(file, tmp_path)
    options = Options(name="mine", steps="one")
    assert import_graph(file, options, tmp_path / "models").difference.largest == 0


def test_a_network_that_gives_nan_is_told(tmp_path: Path) -> None:
    file = _graph(
        tmp_path,
        """nan (float[N,4] x, float[N,4] h) => (float[N,4] y, float[N,4] hn) {
            y = Log(x)
            hn = Add(h, x)
        }""",
    )
    assert "y of the file is not finite on normal noise: give it real --samples" in refused(
        file, tmp_path
    )
    samples = tmp_path / "positive.npy"
    np.save(samples, np.random.default_rng(0).uniform(1, 2, (50, 4)))
    imported = import_graph(file, Options(name="mine"), tmp_path / "models", samples=samples)
    assert imported.difference.source == "positive.npy"


@pytest.mark.parametrize(
    "data", [b"", b"not an onnx file", b"\x08\x08"], ids=["empty", "text", "cut"]
)
def test_a_file_that_is_no_onnx_is_told(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "wrong.onnx"
    file.write_bytes(data)
    assert "is no ONNX file" in refused(file, tmp_path)


def test_a_missing_file_and_missing_weights_are_told(tmp_path: Path) -> None:
    assert "cannot be read: No such file" in refused(tmp_path / "none.onnx", tmp_path)
    model = onnx.load(graphs.one_step(tmp_path))
    file = tmp_path / "apart.onnx"
    onnx.save(model, file, save_as_external_data=True, location="apart.bin", size_threshold=0)
    (tmp_path / "apart.bin").unlink()
    assert "has weights in another file: lay it beside it" in refused(file, tmp_path)


@pytest.mark.parametrize("inside", [False, True], ids=["graph", "branch"])
def test_sparse_weights_are_told(inside: bool, tmp_path: Path) -> None:
    file = graphs.branches(tmp_path)
    model = onnx.load(file)
    graph = model.graph.node[2].attribute[0].g if inside else model.graph
    values = numpy_helper.from_array(np.array([0.5], np.float32), "few")
    indices = numpy_helper.from_array(np.array([3]), "few_indices")
    graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [8]))
    file.write_bytes(model.SerializeToString())
    assert "its weight few is stored sparse: save it as a dense" in refused(file, tmp_path)


def test_an_operator_that_does_not_exist_is_told_without_a_stack(tmp_path: Path) -> None:
    file = _graph(
        tmp_path,
        "odd (float[N,4] x, float[N,4] h) => (float[N,4] y, float[N,4] hn) "
        "{ y = Nonsense(x) hn = Identity(h) }",
    )
    text = refused(file, tmp_path)
    assert "onnxruntime cannot load" in text and "Nonsense" in text
    assert ".cc" not in text and len(text.splitlines()) == 2


def test_bad_samples_are_told(tmp_path: Path) -> None:
    file, samples = graphs.one_step(tmp_path), tmp_path / "samples.npy"
    samples.write_bytes(b"nothing")
    assert "samples.npy cannot be read" in refused(file, tmp_path, samples=samples)
    for array, told in (
        ([1.0, np.nan, 0, 0], "samples has numbers that are not finite"),
        ([1.0], "samples is an array [0, 4], not [steps, 4]"),
        (np.zeros((100, 6)), "samples is an array [100, 6], not [steps, 4]"),
        (np.zeros((1, 6)), "samples is an array [1, 6], not [steps, 4]"),
        (np.zeros((50, 2, 2)), "samples[0] is an array [2, 2], not [steps, 4]"),
    ):
        np.save(samples, array)
        assert told in refused(file, tmp_path, samples=samples), told


@pytest.mark.parametrize("shape", [(203,), (50, 4), (50, 1, 4), (50, 4, 1), (1, 50, 4)])
def test_samples_are_a_signal_or_steps(shape: tuple[int, ...], tmp_path: Path) -> None:
    file, samples = graphs.one_step(tmp_path), tmp_path / "samples.npy"
    np.save(samples, np.random.default_rng(0).normal(0, 1, shape))
    imported = import_graph(file, Options(name="mine"), tmp_path / "models", samples=samples)
    assert imported.difference.steps == 50


def test_recordings_that_are_none_are_told(tmp_path: Path) -> None:
    file, samples = graphs.one_step(tmp_path), tmp_path / "samples.wav"
    samples.write_bytes(b"RIFF")
    assert "samples.wav cannot be read" in refused(file, tmp_path, samples=samples)
    with wave.open(str(samples), "wb") as sound:
        sound.setparams((1, 1, 8000, 0, "NONE", ""))
        sound.writeframes(bytes(100))
    assert "samples.wav has 8 bits: 16 are read" in refused(file, tmp_path, samples=samples)


def test_the_rate_of_a_recording_is_compared(tmp_path: Path) -> None:
    file, samples = graphs.branches(tmp_path), tmp_path / "samples.wav"
    with wave.open(str(samples), "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(np.random.default_rng(0).integers(-9, 9, 400).astype("<i2").tobytes())
    said = {"constants": {"sr": 16000}, "input": {"frame": 4, "overlap": 2}}
    text = refused(file, tmp_path, said | {"sample_rate_hz": 16000}, samples=samples)
    assert "samples.wav has 8000 samples a second, --sample-rate says 16000: convert it" in text
    for rate in ({"sample_rate_hz": 8000}, {}):
        options = Options.model_validate({"name": f"at{len(rate)}", **said, **rate})
        imported = import_graph(file, options, tmp_path / "models", samples=samples)
        assert imported.difference.source == "samples.wav"


@pytest.mark.parametrize("option", ["initial", "samples"])
def test_files_that_hold_no_array_are_told(option: str, tmp_path: Path) -> None:
    file, array = graphs.one_step(tmp_path), tmp_path / "array.npy"
    samples = {"samples": array} if option == "samples" else {}
    said = {} if samples else {"initial": {"h": str(array)}}
    assert "array.npy cannot be read as .npy: [Errno 2]" in refused(file, tmp_path, said, **samples)
    with array.open("wb") as opened:
        np.savez(opened, h=np.zeros(8))
    several = array.read_bytes()
    np.save(array, np.zeros(8))
    one = array.read_bytes()
    for data in (b"", several, several[:50], one[:20], one[:-1]):
        array.write_bytes(data)
        assert "array.npy cannot be read as .npy: " in refused(file, tmp_path, said, **samples)
    np.save(array, np.array(["one"]))
    assert "array.npy must hold numbers, not <U3" in refused(file, tmp_path, said, **samples)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.5, "0.5 is no int64"),
        (2**63, "9223372036854775808 is no int64"),
        (float("nan"), "nan is no int64"),
    ],
)
def test_numbers_that_a_type_does_not_have_are_told(
    value: float, told: str, tmp_path: Path
) -> None:
    text = refused(graphs.branches(tmp_path), tmp_path, {"constants": {"sr": value}})
    assert f"constant sr int64 []: {told}" in text
    text = refused(graphs.running_sum(tmp_path), tmp_path, {"initial": {"count": value}})
    assert text.endswith(f"state count int64 [batch]: {float(value)} is no int64")


def test_a_float_is_rounded_and_no_infinity(tmp_path: Path) -> None:
    said: dict[str, Any] = {"initial": {"h": 1e6}}
    text = refused(graphs.half(tmp_path), tmp_path, said)
    assert "state h float16 [N, 8]: 1000000.0 is no finite float16" in text
    options = Options(name="mine", initial={"h": 0.1})
    import_graph(graphs.half(tmp_path), options, tmp_path / "models")


def test_a_file_that_reckons_in_bfloat16_is_told(tmp_path: Path) -> None:
    text = refused(graphs.brain(tmp_path, "bfloat16"), tmp_path)
    assert "it has few operators of bfloat16: export it in float32 or float16" in text
    assert len(text.splitlines()) == 2


def test_what_exists_is_replaced_only_when_asked(tmp_path: Path) -> None:
    file, options = graphs.one_step(tmp_path), Options(name="mine")
    import_graph(file, options, tmp_path / "models")
    with pytest.raises(PublishError, match="--replace"):
        import_graph(file, options, tmp_path / "models")
    import_graph(file, options, tmp_path / "models", replace=True)


def test_rounding_has_a_bound_that_a_person_can_set(tmp_path: Path) -> None:
    text = refused(graphs.running_sum(tmp_path), tmp_path, {"tolerance": 1e-9})
    assert "--tolerance" in text
    said = Options(name="mine", tolerance=1e-4)
    imported = import_graph(graphs.running_sum(tmp_path), said, tmp_path / "models")
    assert "1e-04 is allowed" in (imported.folder / "README.md").read_text()
