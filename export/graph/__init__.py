"""Network → ONNX graph with explicit state, built node by node."""

from export.graph.classifier import build_graph

__all__ = ["build_graph"]
