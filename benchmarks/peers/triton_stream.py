"""Triton's sequence batcher: its "oldest" strategy, which batches whatever sequences wait.

The states rest in arrays inside the model's processes: nothing but the chunk travels.
"""

from __future__ import annotations

import json
import os

import numpy as np

from benchmarks.peers import triton as peer
from benchmarks.peers.base import SERVING, Place, Start

MODEL = "stream"
BATCHING = """sequence_batching {
  max_sequence_idle_microseconds: 60000000
  control_input [
    {name: "START" control [{kind: CONTROL_SEQUENCE_START int32_false_true: [0, 1]}]},
    {name: "END" control [{kind: CONTROL_SEQUENCE_END int32_false_true: [0, 1]}]},
    {name: "CORRID" control [{kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64}]}
  ]
  oldest {max_candidate_sequences: 2048}
}
"""
STATEFUL = "BENCHMARK_STATEFUL_GRAPH"
SEQUENCES = 4096


def start_sequences(place: Place) -> tuple[Start, str]:
    """How to start it, and the path that says when it is ready."""
    graph = str((place.standin.folder / "model.onnx").absolute())
    config = peer.CONFIG + BATCHING
    started = peer.start(place, MODEL, config, "triton_stream", **{STATEFUL: graph})
    return started, f"/v2/models/{MODEL}/ready"


if SERVING == "triton_stream":
    import onnxruntime
    import triton_python_backend_utils as triton

    class TritonPythonModel:
        def initialize(self, args):
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = options.inter_op_num_threads = 1
            self.session = onnxruntime.InferenceSession(os.environ[STATEFUL], options)
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
