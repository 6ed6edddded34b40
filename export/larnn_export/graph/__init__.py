"""Network → ONNX graph with explicit state, built node by node."""

from larnn_export.graph.attention import attention_graph
from larnn_export.graph.classifier import add_novelty, build_graph

__all__ = ["add_novelty", "attention_graph", "build_graph"]
