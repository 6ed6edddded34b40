"""Triton's python backend: a model.py for whole windows, as its process runs it."""

from __future__ import annotations

import os
import sys

sys.path.append(os.environ["PYTHONPATH"])  # the process starts isolated, and ignores it

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton


class TritonPythonModel:
    def initialize(self, args):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["BENCHMARK_GRAPH"], options)

    def execute(self, requests):
        arrays = [triton.get_input_tensor_by_name(asked, "x").as_numpy() for asked in requests]
        [logits] = self.session.run(["logits"], {"x": np.concatenate(arrays)})
        parts = np.split(logits, np.cumsum([len(array) for array in arrays])[:-1])
        return [triton.InferenceResponse([triton.Tensor("logits", part)]) for part in parts]
