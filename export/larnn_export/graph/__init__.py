"""Network → ONNX graph with explicit state, built node by node."""

from larnn_export.graph.attention import attention_graph
from larnn_export.graph.classifier import build_graph

__all__ = ["attention_graph", "build_graph"]
