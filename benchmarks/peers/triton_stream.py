"""Triton's sequence batcher: its "oldest" strategy, which batches whatever sequences wait.

The states rest in arrays inside the model's processes: nothing but the chunk travels.
"""

from __future__ import annotations

from benchmarks.peers.base import Place, Start
from benchmarks.peers.triton import start

MODEL = "stream"
CONFIG = """backend: "python"
max_batch_size: 64
input [{name: "x" data_type: TYPE_FP32 dims: [-1, 9]}]
output [{name: "logits" data_type: TYPE_FP32 dims: [6]}]
sequence_batching {
  max_sequence_idle_microseconds: 60000000
  control_input [
    {name: "START" control [{kind: CONTROL_SEQUENCE_START int32_false_true: [0, 1]}]},
    {name: "END" control [{kind: CONTROL_SEQUENCE_END int32_false_true: [0, 1]}]},
    {name: "CORRID" control [{kind: CONTROL_SEQUENCE_CORRID data_type: TYPE_UINT64}]}
  ]
  oldest {max_candidate_sequences: 2048}
}
instance_group [{kind: KIND_CPU count: WORKERS}]
"""


def start_sequences(place: Place) -> tuple[Start, str]:
    """How to start it, and the path that says when it is ready."""
    config = CONFIG.replace("WORKERS", str(place.workers))
    graph = str((place.standin.folder / "model.onnx").absolute())
    started = start(place, MODEL, config, "triton_stream", BENCHMARK_STATEFUL_GRAPH=graph)
    return started, f"/v2/models/{MODEL}/ready"
