"""What Keras exports answers as Keras does; it is installed for this test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from larnn_export.importing import Options, import_graph
from larnn_service.backend.model_repository import load_model
from tests import tools

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(900)]

KERAS = ("keras==3.15.1", "absl-py==2.5.1", "namex==0.1.0", "h5py==3.16.0", "optree==0.20.0")
BY_KERAS = """
import keras, numpy as np
x, h = keras.Input((None, 4), name="x"), keras.Input((8,), name="h")
layer = keras.layers.GRU(8, return_sequences=True, return_state=True)
answers, after = layer(x, initial_state=h)
model = keras.Model([x, h], [keras.layers.Dense(3)(answers), after])
rows = np.load("x.npy")
np.save("y.npy", keras.ops.convert_to_numpy(model([rows, np.zeros((3, 8), "f4")])[0]))
model([rows[:, :1], np.zeros((3, 8), "f4")])
model.export("net.onnx", format="onnx", verbose=False)
"""


def test_a_gru_of_keras(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--only-binary=:all:", "--no-deps"]
    done = subprocess.run(
        [*pip, "--target", packages, *KERAS], capture_output=True, text=True, timeout=600
    )
    if done.returncode:
        tools.missing(f"pip cannot install {KERAS[0]}: {done.stderr[-300:]}")
    x = np.random.default_rng(0).normal(0, 1, (3, 9, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    done = subprocess.run(
        [sys.executable, "-c", BY_KERAS],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(packages), "KERAS_BACKEND": "torch"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    imported = import_graph(tmp_path / "net.onnx", Options(name="mine"), tmp_path / "models")
    model = load_model(imported.folder, "cpu")
    state = {name: np.stack([array] * 3) for name, array in model.initial.items()}
    answers, _ = model.backend.run(x, np.array([9, 9, 9]), state)
    np.testing.assert_allclose(answers, np.load(tmp_path / "y.npy"), atol=1e-5)
