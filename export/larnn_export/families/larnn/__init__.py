"""The LARNN (arXiv 1808.05578): an LSTM that attends to its own last k cell states.

`cell.py` has the equations as the paper writes them, `layer.py` runs them over a sequence,
`native.py` and `graph.py` are the same loop in the native library and as an ONNX graph.
"""

from __future__ import annotations

from larnn_export.families.family import Family
from larnn_export.families.larnn.config import LARNNConfig
from larnn_export.families.larnn.graph import DOMAIN, write_larnn
from larnn_export.families.larnn.layer import LARNNLayer


def _multiply_adds(config: LARNNConfig) -> int:
    n, k = config.hidden_size, config.window_size
    return 10 * n * n + 4 * n * n + 3 * n * n + 2 * k * n


FAMILY = Family(
    title="LARNN",
    carries="hidden, cell; keys and values of the last k cell states",
    source="[1808.05578](https://arxiv.org/abs/1808.05578)",
    preset=LARNNConfig(
        hidden_size=48,
        layers=2,
        window_size=16,
        normalisation="none",  # on the folds better than layer norm: docs/training.md
        dropout=0.2,
        longest_memory=128,
        coupled_gates=True,
    ),
    layer=LARNNLayer,
    write=write_larnn,
    multiply_adds=_multiply_adds,
    operator=DOMAIN,
    searched={"window_size": (1, 4, 8, 16, 38), "heads": (1, 4, 8, 16)},
)
