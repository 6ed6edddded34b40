"""Triton's python backend: a model.py for sequences. Their states rest in this process."""

from __future__ import annotations

import json
import os
import sys

sys.path.append(os.environ["PYTHONPATH"])  # the process starts isolated, and ignores it

import numpy as np
import onnxruntime
import triton_python_backend_utils as triton

SEQUENCES = 4096


class TritonPythonModel:
    def initialize(self, args):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["BENCHMARK_STATEFUL_GRAPH"], options)
        contract = json.loads(self.session.get_modelmeta().custom_metadata_map["contract"])
        self.states = {
            tensor["name"]: np.zeros((SEQUENCES, *tensor["shape"]), dtype=tensor["dtype"])
            for tensor in contract["state"]
        }
        self.outputs = ["logits", *(f"next_{name}" for name in self.states)]
        self.rows = {}
        self.free = list(range(SEQUENCES))

    def execute(self, requests):
        rows, chunks, ended = [], [], []
        for asked in requests:
            number, start, end = (
                triton.get_input_tensor_by_name(asked, name).as_numpy().item()
                for name in ("CORRID", "START", "END")
            )
            if start:
                row = self.rows[number] = self.free.pop()
                for state in self.states.values():
                    state[row] = 0
            rows.append(self.rows[number])
            chunks.append(triton.get_input_tensor_by_name(asked, "x").as_numpy())
            if end:
                ended.append(number)
        x = np.concatenate(chunks)
        before = {name: state[rows] for name, state in self.states.items()}
        lengths = np.full(len(x), x.shape[1])
        logits, *after = self.session.run(self.outputs, {"x": x, "lengths": lengths, **before})
        for state, moved in zip(self.states.values(), after, strict=True):
            state[rows] = moved
        for number in ended:
            self.free.append(self.rows.pop(number))
        last = logits[:, -1]
        return [
            triton.InferenceResponse([triton.Tensor("logits", last[index : index + 1])])
            for index in range(len(last))
        ]
