"""Everything that needs torch: networks, training, the ONNX graph, publishing."""
